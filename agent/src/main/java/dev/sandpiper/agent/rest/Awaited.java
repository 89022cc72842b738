package dev.sandpiper.agent.rest;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.HttpHandler;
import dev.sandpiper.agent.http.Responses;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Something that routes need and that is made only after the port is bound, as processes are: requests that come before
/// it wait for it. Thread-safe.
///
/// It also keeps routes cheap: the classes that answer are loaded with the first request.
public final class Awaited<T> {
  /// As many as may wait for RPC services.
  private static final int MAX_WAITING = 1000;

  private volatile @Nullable T value;

  /// Bound: [#MAX_WAITING]; when full, 503.
  @GuardedBy("this")
  private final List<Runnable> waiting = new ArrayList<>();

  /// It is there: what waits goes on, each on its own event loop. Once; any thread.
  public void set(T made) {
    List<Runnable> released;
    synchronized (this) {
      value = made;
      released = List.copyOf(waiting);
      waiting.clear();
    }
    released.forEach(Runnable::run);
  }

  /// Makes a handler for several routes.
  ///
  /// @param make called with the first request, once, on an event loop: must not block
  public <H> Routes<H> routes(Function<T, H> make) {
    return new Routes<>(make);
  }

  /// What answers several routes, made with the first request to any of them.
  public final class Routes<H> {
    /// One route of several.
    public interface Route<H> {
      /// As [HttpHandler#handle].
      void handle(H handlers, HttpExchange exchange);
    }

    private final Function<T, H> make;
    private volatile @Nullable H handlers;

    private Routes(Function<T, H> make) {
      this.make = make;
    }

    /// The handler of one route.
    public HttpHandler on(Route<H> route) {
      return exchange -> {
        T there = value;
        if (there == null) {
          await(exchange, route);
        } else {
          route.handle(handlers(there), exchange);
        }
      };
    }

    private void await(HttpExchange exchange, Route<H> route) {
      synchronized (Awaited.this) {
        T there = value;
        if (there != null || waiting.size() < MAX_WAITING) {
          Runnable later =
              () ->
                  exchange.execute(() -> {
                    T now = value;
                    if (now != null && !exchange.isFinished()) {
                      route.handle(handlers(now), exchange);
                    }
                  });
          if (there == null) {
            waiting.add(later);
          } else {
            later.run();
          }
          return;
        }
      }
      Responses.text(exchange, 503, "too many requests wait for the agent to start");
    }

    private H handlers(T there) {
      H ready = handlers;
      if (ready == null) {
        synchronized (this) {
          ready = handlers;
          if (ready == null) {
            ready = make.apply(there);
            handlers = ready;
          }
        }
      }
      return ready;
    }
  }
}
