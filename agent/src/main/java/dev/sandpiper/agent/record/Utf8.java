package dev.sandpiper.agent.record;

/// Steps through bytes that should be UTF-8 and may be anything.
///
/// Malformed bytes are grouped as Unicode recommends ("maximal subpart", chapter 3, table 3-7; what browsers do): the
/// longest start of a character that could have become one counts as one mistake, and becomes one U+FFFD.
public final class Utf8 {
  /// The bytes of U+FFFD.
  static final int REPLACEMENT_BYTES = 3;

  /// The longest character, and so the most that is ever undecided at the end of what was read.
  public static final int MAX_CHARACTER_BYTES = 4;

  private Utf8() {}

  /// What stands at `at`: a character of `n` bytes (`n`), a mistake of `n` bytes (`-n`), or the start of a character
  /// whose rest lies behind `end` (0).
  public static int step(byte[] bytes, int at, int end) {
    int first = bytes[at] & 0xff;
    if (first < 0x80) {
      return 1;
    }
    if (first < 0xc2 || first > 0xf4) {
      return -1; // a continuation without a start, an overlong form, or beyond U+10FFFF
    }
    int length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    // Only the second byte has bounds of its own: no overlong form, no surrogate, nothing beyond
    // U+10FFFF.
    int low =
        switch (first) {
          case 0xe0 -> 0xa0;
          case 0xf0 -> 0x90;
          default -> 0x80;
        };
    int high =
        switch (first) {
          case 0xed -> 0x9f;
          case 0xf4 -> 0x8f;
          default -> 0xbf;
        };
    for (int i = 1; i < length; i++) {
      if (at + i == end) {
        return 0;
      }
      int next = bytes[at + i] & 0xff;
      if (next < low || next > high) {
        return -i;
      }
      low = 0x80;
      high = 0xbf;
    }
    return length;
  }
}
