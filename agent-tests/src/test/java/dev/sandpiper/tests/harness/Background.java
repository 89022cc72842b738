package dev.sandpiper.tests.harness;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/// Work beside the test's own, a thread for each: the common pool has a single one on two cores.
public final class Background {
  private static final long LIMIT_SECONDS = 90;

  private Background() {}

  /// Fails with a timeout when it takes too long, also if nobody waits for it until then.
  public static <T> CompletableFuture<T> supply(Supplier<T> work) {
    return CompletableFuture.supplyAsync(work, task -> Thread.ofVirtual().start(task))
        .orTimeout(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  public static CompletableFuture<Void> run(Runnable work) {
    return CompletableFuture.runAsync(work, task -> Thread.ofVirtual().start(task))
        .orTimeout(LIMIT_SECONDS, TimeUnit.SECONDS);
  }
}
