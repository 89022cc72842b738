package dev.sandpiper.agent.cli;

import java.util.List;
import java.util.Locale;

/// Linux's signals by name (signal(7)), the same on x86-64 and aarch64.
final class SignalNumbers {
  private static final List<String> NAMES =
      List.of(
          "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
          "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
          "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS");
  private static final int LAST = 64;

  private SignalNumbers() {}

  /// Reads `TERM`, `SIGTERM` or `15`, in any case. Throws `IllegalArgumentException` for anything else.
  static int parse(String text) {
    var name = text.toUpperCase(Locale.ROOT);
    var number = NAMES.indexOf(name.startsWith("SIG") ? name.substring(3) : name) + 1;
    if (number > 0) {
      return number;
    }
    try {
      var value = Integer.parseInt(text);
      if (value >= 1 && value <= LAST) {
        return value;
      }
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("'" + text + "' is no signal, such as TERM or 15", e);
    }
    throw new IllegalArgumentException("'" + text + "' is not a signal from 1 to " + LAST);
  }

  /// `SIGTERM`, or `signal 34`.
  static String name(int number) {
    return number >= 1 && number <= NAMES.size()
        ? "SIG" + NAMES.get(number - 1)
        : "signal " + number;
  }
}
