package dev.sandpiper.agent.rpc;

/// Finds what follows the first JSON object of a text (RFC 8259): the parser behind [JsonCodec] stops at its end and does
/// not look further, so `{}}` would pass for `{}`.
final class JsonEnd {
  private JsonEnd() {}

  /// Index of the first character after the object that begins the text which is no white space, or -1. A text that is no
  /// whole object is the parser's business: -1.
  static int trailing(String json) {
    int depth = 0;
    boolean inString = false;
    for (int i = 0; i < json.length(); i++) {
      char c = json.charAt(i);
      if (inString) {
        if (c == '\\') {
          i++;
        } else if (c == '"') {
          inString = false;
        }
      } else if (c == '"') {
        inString = true;
      } else if (c == '{' || c == '[') {
        depth++;
      } else if ((c == '}' || c == ']') && --depth <= 0) {
        return firstText(json, i + 1);
      }
    }
    return -1;
  }

  private static int firstText(String json, int from) {
    for (int i = from; i < json.length(); i++) {
      switch (json.charAt(i)) {
        case ' ', '\t', '\n', '\r' -> {}
        default -> {
          return i;
        }
      }
    }
    return -1;
  }
}
