package dev.sandpiper.agent.http;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/// Lets some requests through at once and holds the others until everything that may answer them is there. So the port can be
/// bound, and `/health` be answered, before the rest of the agent has been built.
///
/// Bound: 1,024 requests wait; one more is answered 503. Their bodies are not read meanwhile. Thread-safe.
public final class StartGate implements HttpHandler {
  private static final int MOST_WAITING = 1024;

  private final HttpHandler next;
  private final Predicate<HttpExchange> atOnce;
  private final Object lock = new Object();

  @GuardedBy("lock")
  private final ArrayDeque<HttpExchange> waiting = new ArrayDeque<>();

  private volatile boolean open;

  /// @param atOnce which requests `next` can answer already
  public StartGate(HttpHandler next, Predicate<HttpExchange> atOnce) {
    this.next = next;
    this.atOnce = atOnce;
  }

  @Override
  public void handle(HttpExchange exchange) {
    if (open || atOnce.test(exchange)) {
      next.handle(exchange);
      return;
    }
    boolean opened;
    synchronized (lock) {
      opened = open;
      if (!opened && waiting.size() < MOST_WAITING) {
        waiting.add(exchange);
        return;
      }
    }
    if (opened) {
      next.handle(exchange);
    } else {
      Responses.text(exchange, 503, "the agent is starting");
    }
  }

  /// From now on every request goes through; those that wait first. Any thread.
  public void open() {
    List<HttpExchange> released;
    synchronized (lock) {
      open = true;
      released = new ArrayList<>(waiting);
      waiting.clear();
    }
    for (HttpExchange exchange : released) {
      exchange
          .eventLoop()
          .execute(() -> {
            try {
              next.handle(exchange);
            } catch (Throwable e) {
              exchange.fail(e);
            }
          });
    }
  }
}
