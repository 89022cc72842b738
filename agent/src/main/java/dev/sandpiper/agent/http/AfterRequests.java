package dev.sandpiper.agent.http;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/// Tidies up some time after requests have come: after the first one, and then once for every [#EVERY] at most. Nothing is due, and nothing
/// polls, while no requests come. The work is done on a thread of its own, which ends with it. Thread-safe.
public final class AfterRequests implements HttpHandler {
  private static final int EVERY = 500;

  private final HttpHandler next;
  private final long delayMillis;
  private final Runnable work;
  private final AtomicInteger requests = new AtomicInteger(EVERY - 1);
  private final AtomicBoolean due = new AtomicBoolean();

  /// @param delayMillis from the request that makes the work due
  public AfterRequests(HttpHandler next, long delayMillis, Runnable work) {
    this.next = next;
    this.delayMillis = delayMillis;
    this.work = work;
  }

  @Override
  public void handle(HttpExchange exchange) {
    if (requests.incrementAndGet() >= EVERY && due.compareAndSet(false, true)) {
      requests.set(0);
      var _ = exchange.eventLoop().schedule(this::start, delayMillis, TimeUnit.MILLISECONDS);
    }
    next.handle(exchange);
  }

  private void start() {
    Thread.ofPlatform().name("tidy").daemon().start(this::run);
  }

  private void run() {
    due.set(false);
    work.run();
  }
}
