package dev.sandpiper.agent.output;

import com.google.errorprone.annotations.FormatMethod;

/// Figures that a test prints beside what it asserts.
final class Report {
  private Report() {}

  /// Whether the long proofs are asked for.
  static boolean proof() {
    return Boolean.getBoolean("sandpiper.proof");
  }

  @SuppressWarnings("SystemOut") // figures are for whoever reads the build's output
  @FormatMethod
  static void say(String format, Object... values) {
    System.out.println(String.format(format, values));
  }
}
