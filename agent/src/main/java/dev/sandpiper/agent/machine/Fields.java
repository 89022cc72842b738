package dev.sandpiper.agent.machine;

import java.util.OptionalLong;

/// Numbers in the texts of the kernel: lines such as `name 123`, or `Name:  123 kB`.
final class Fields {
  private Fields() {}

  /// The number behind a name at the beginning of a line, with its separator (`"MemTotal:"`, `"usage_usec "`).
  static OptionalLong find(String text, String name) {
    int line = text.startsWith(name) ? 0 : text.indexOf("\n" + name);
    if (line < 0) {
      return OptionalLong.empty();
    }
    return number(text, line + name.length() + (text.charAt(line) == '\n' ? 1 : 0));
  }

  /// As [#find], with 0 for what is not there.
  static long get(String text, String name) {
    return find(text, name).orElse(0);
  }

  /// The number that a text consists of; empty for `max`, which means that there is no limit.
  static OptionalLong whole(String text) {
    return number(text, 0);
  }

  /// The number at or after blanks from `at`, at most what a `long` holds; empty where there is none.
  static OptionalLong number(String text, int at) {
    int i = at;
    while (i < text.length() && (text.charAt(i) == ' ' || text.charAt(i) == '\t')) {
      i++;
    }
    int first = i;
    long value = 0;
    for (; i < text.length(); i++) {
      int digit = text.charAt(i) - '0';
      if (digit < 0 || digit > 9) {
        break;
      }
      value = value > (Long.MAX_VALUE - digit) / 10 ? Long.MAX_VALUE : value * 10 + digit;
    }
    return i == first ? OptionalLong.empty() : OptionalLong.of(value);
  }
}
