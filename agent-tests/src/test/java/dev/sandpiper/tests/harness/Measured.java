package dev.sandpiper.tests.harness;

import com.google.errorprone.annotations.FormatMethod;
import java.time.Duration;

/// Delays and sizes are printed for the reader of the build's output, not asserted: the machine decides them.
public final class Measured {
  private static final System.Logger LOG = System.getLogger("measured");

  private Measured() {}

  @FormatMethod
  public static void print(String what, Object... values) {
    LOG.log(System.Logger.Level.INFO, what.formatted(values));
  }

  public static double seconds(Duration duration) {
    return duration.toNanos() / 1e9;
  }

  public static Duration since(long startedNanos) {
    return Duration.ofNanos(System.nanoTime() - startedNanos);
  }
}
