package dev.sandpiper.agent.filesystem.watch;

import java.util.concurrent.atomic.AtomicInteger;

/// How many directories may be watched, by all watches together. Thread-safe.
final class Budget {
  private final int limit;
  private final AtomicInteger used = new AtomicInteger();

  Budget(int limit) {
    this.limit = limit;
  }

  boolean take() {
    if (used.incrementAndGet() > limit) {
      used.decrementAndGet();
      return false;
    }
    return true;
  }

  void give(int directories) {
    used.addAndGet(-directories);
  }

  int used() {
    return used.get();
  }

  int limit() {
    return limit;
  }
}
