package dev.sandpiper.tests.harness;

import java.time.Duration;

/// A moment by which something must have happened.
public record Deadline(long nanoTime) {
  /// Long enough for a loaded two-core machine, short enough to notice a hang.
  public static final Duration PATIENCE = Duration.ofSeconds(45);

  public static Deadline in(Duration duration) {
    return new Deadline(System.nanoTime() + duration.toNanos());
  }

  /// What is left, at least one millisecond, as `SO_TIMEOUT` takes it (0 would mean for ever).
  public int millisLeft() {
    return Math.clamp((nanoTime - System.nanoTime()) / 1_000_000, 1, Integer.MAX_VALUE);
  }

  public boolean passed() {
    return System.nanoTime() - nanoTime >= 0;
  }
}
