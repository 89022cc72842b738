package dev.sandpiper.agent.http;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayList;
import java.util.List;

/// Requests that wait until what answers them is there, up to a bound. Their bodies are not read meanwhile. Thread-safe.
public final class HeldRequests {
  private final int most;
  private final Object lock = new Object();

  @GuardedBy("lock")
  private List<HttpExchange> waiting = new ArrayList<>();

  private volatile boolean released;

  /// @param most how many may wait
  public HeldRequests(int most) {
    this.most = most;
  }

  /// Whether nobody needs to wait any more.
  public boolean areReleased() {
    return released;
  }

  /// Whether the request waits now. If not, it can be handled ({@link #areReleased}), or as many wait as may.
  public boolean hold(HttpExchange exchange) {
    synchronized (lock) {
      if (released || waiting.size() >= most) {
        return false;
      }
      waiting.add(exchange);
      return true;
    }
  }

  /// Nobody waits from now on. Those that do go to `handler` in their order, each on its event loop.
  public void release(HttpHandler handler) {
    List<HttpExchange> held;
    synchronized (lock) {
      released = true;
      held = waiting;
      waiting = List.of();
    }
    for (HttpExchange exchange : held) {
      exchange
          .eventLoop()
          .execute(() -> {
            try {
              handler.handle(exchange);
            } catch (Throwable e) {
              exchange.fail(e);
            }
          });
    }
  }
}
