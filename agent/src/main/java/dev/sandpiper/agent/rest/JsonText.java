package dev.sandpiper.agent.rest;

/// Writes JSON strings.
final class JsonText {
  private static final String HEX = "0123456789abcdef";

  private JsonText() {}

  /// Appends `text` in quotes. An unpaired surrogate leaves as U+FFFD.
  static void string(StringBuilder out, String text) {
    out.append('"');
    escape(out, text);
    out.append('"');
  }

  /// Appends the inside of the same string: of a long one, piece by piece.
  static void escape(StringBuilder out, CharSequence text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        default -> {
          if (c < ' ' || c == 0x7f) {
            out.append("\\u00").append(HEX.charAt(c >> 4)).append(HEX.charAt(c & 15));
          } else if (isUnpaired(text, i)) {
            out.append('\ufffd');
          } else {
            out.append(c);
          }
        }
      }
    }
  }

  private static boolean isUnpaired(CharSequence text, int at) {
    char c = text.charAt(at);
    if (Character.isHighSurrogate(c)) {
      return at + 1 == text.length() || !Character.isLowSurrogate(text.charAt(at + 1));
    }
    return Character.isLowSurrogate(c)
        && (at == 0 || !Character.isHighSurrogate(text.charAt(at - 1)));
  }
}
