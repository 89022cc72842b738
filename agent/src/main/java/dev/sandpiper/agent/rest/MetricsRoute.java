package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.HttpHandler;
import dev.sandpiper.agent.http.Router;
import dev.sandpiper.agent.telemetry.Metrics;
import java.time.InstantSource;
import org.jspecify.annotations.Nullable;

/// `GET /metrics`: what the sandbox uses as E2B's JSON, or all of the agent's numbers as text for Prometheus.
///
/// `Accept` chooses; without a preference it is the JSON. 200 with `Cache-Control: no-store`; 500 without a body when
/// the kernel does not tell what the JSON must hold. Everything but this class is loaded with the first request.
public final class MetricsRoute implements HttpHandler {
  private final Metrics metrics;
  private final InstantSource clock;
  private volatile @Nullable MetricsAnswers answers;

  private MetricsRoute(Metrics metrics, InstantSource clock) {
    this.metrics = metrics;
    this.clock = clock;
  }

  /// Adds the route.
  ///
  /// @param metrics the agent's numbers
  public static void register(Router router, Metrics metrics, InstantSource clock) {
    router.route("GET", "/metrics", new MetricsRoute(metrics, clock));
  }

  @Override
  public void handle(HttpExchange exchange) {
    answers().answer(exchange);
  }

  private MetricsAnswers answers() {
    MetricsAnswers ready = answers;
    if (ready == null) {
      synchronized (this) {
        ready = answers;
        if (ready == null) {
          ready = new MetricsAnswers(metrics, clock);
          answers = ready;
        }
      }
    }
    return ready;
  }
}
