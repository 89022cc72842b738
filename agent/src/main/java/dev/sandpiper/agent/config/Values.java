package dev.sandpiper.agent.config;

import java.time.Duration;
import java.util.List;
import java.util.Locale;

/// How values are written: sizes, times, and lists. What is written by `render…` is read back by `parse…` as the same.
///
/// The parsers throw `IllegalArgumentException` with a message that completes the sentence "the value …".
final class Values {
  private static final List<Unit> SIZES =
      List.of(
          new Unit("TiB", 1L << 40),
          new Unit("GiB", 1L << 30),
          new Unit("MiB", 1L << 20),
          new Unit("KiB", 1L << 10),
          new Unit("B", 1));

  // "ms" stands before "m" and "s": the first unit that the text ends with is taken.
  private static final List<Unit> TIMES =
      List.of(
          new Unit("d", 86_400_000),
          new Unit("h", 3_600_000),
          new Unit("ms", 1),
          new Unit("m", 60_000),
          new Unit("s", 1000));

  private record Unit(String name, long factor) {}

  private Values() {}

  static int parseInt(String text) {
    try {
      return Integer.parseInt(text);
    } catch (NumberFormatException _) {
      throw new IllegalArgumentException("is not a whole number");
    }
  }

  /// A number of bytes: `65536`, `64KiB`, `64 MiB`. Units are powers of 1024 and their case does not matter.
  static long parseSize(String text) {
    return parse(text, SIZES, 1, "is not a size such as 64MiB (units: B, KiB, MiB, GiB, TiB)");
  }

  static String renderSize(long bytes) {
    return render(bytes, SIZES, "0");
  }

  /// A length of time: `250ms`, `5s`, `2m`, `1h`, `1d`. Only a zero may stand without a unit.
  static Duration parseTime(String text) {
    return Duration.ofMillis(
        parse(text, TIMES, 0, "is not a length of time such as 5s (units: ms, s, m, h, d)"));
  }

  static String renderTime(Duration time) {
    return render(time.toMillis(), TIMES, "0");
  }

  static boolean parseBoolean(String text) {
    return switch (text.toLowerCase(Locale.ROOT)) {
      case "true", "yes", "on", "1" -> true;
      case "false", "no", "off", "0" -> false;
      default -> throw new IllegalArgumentException("is neither true nor false");
    };
  }

  static List<String> parseList(String text) {
    return text.isBlank()
        ? List.of()
        : List.of(text.split(",", -1)).stream().map(String::strip).map(Values::notEmpty).toList();
  }

  private static String notEmpty(String element) {
    if (element.isEmpty()) {
      throw new IllegalArgumentException("has an empty element");
    }
    return element;
  }

  /// `bare` is what a number without unit is multiplied with; 0 forbids it for all but zero.
  private static long parse(String text, List<Unit> units, long bare, String wrong) {
    var lower = text.toLowerCase(Locale.ROOT);
    var factor = bare;
    var digits = lower;
    for (var unit : units) {
      if (lower.endsWith(unit.name.toLowerCase(Locale.ROOT))) {
        factor = unit.factor;
        digits = lower.substring(0, lower.length() - unit.name.length()).stripTrailing();
        break;
      }
    }
    if (digits.isEmpty() || !digits.chars().allMatch(c -> c >= '0' && c <= '9')) {
      throw new IllegalArgumentException(wrong);
    }
    try {
      var number = Long.parseLong(digits);
      if (factor == 0 && number != 0) {
        throw new IllegalArgumentException(wrong);
      }
      return Math.multiplyExact(number, factor);
    } catch (NumberFormatException | ArithmeticException _) {
      throw new IllegalArgumentException("is too large");
    }
  }

  private static String render(long value, List<Unit> units, String zero) {
    if (value == 0) {
      return zero;
    }
    Unit best = null;
    for (var unit : units) {
      if (value % unit.factor == 0 && (best == null || unit.factor > best.factor)) {
        best = unit;
      }
    }
    return best == null ? Long.toString(value) : value / best.factor + best.name;
  }
}
