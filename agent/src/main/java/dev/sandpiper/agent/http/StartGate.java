package dev.sandpiper.agent.http;

import java.util.function.Predicate;

/// Lets some requests through at once and holds the others until everything that may answer them is there. So the port can be
/// bound, and `/health` be answered, before the rest of the agent has been built.
///
/// Bound: 1,024 requests wait; one more is answered 503. Their bodies are not read meanwhile. Thread-safe.
public final class StartGate implements HttpHandler {
  private static final int MOST_WAITING = 1024;

  private final HttpHandler next;
  private final Predicate<HttpExchange> atOnce;
  private final HeldRequests held = new HeldRequests(MOST_WAITING);

  /// @param atOnce which requests `next` can answer already
  public StartGate(HttpHandler next, Predicate<HttpExchange> atOnce) {
    this.next = next;
    this.atOnce = atOnce;
  }

  @Override
  public void handle(HttpExchange exchange) {
    if (held.areReleased() || atOnce.test(exchange)) {
      next.handle(exchange);
    } else if (!held.hold(exchange)) {
      if (held.areReleased()) {
        next.handle(exchange);
      } else {
        Responses.text(exchange, 503, "the agent is starting");
      }
    }
  }

  /// From now on every request goes through; those that wait first. Any thread.
  public void open() {
    held.release(next);
  }
}
