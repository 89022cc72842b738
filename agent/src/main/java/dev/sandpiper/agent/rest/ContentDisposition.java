package dev.sandpiper.agent.rest;

import java.nio.charset.StandardCharsets;

/// The value of a download's `Content-Disposition`: `inline` and the file's name (contract, section 5.5).
final class ContentDisposition {
  private static final String TOKEN_SIGNS =
      "!#$&+-.^_`|~"; // without those that have a meaning here

  private ContentDisposition() {}

  /// `inline; filename=a.txt`, quoted where the name is no token, and percent-encoded where it is not printable ASCII.
  static String inline(String name) {
    boolean token = !name.isEmpty();
    boolean printable = true;
    for (int i = 0; i < name.length(); i++) {
      char c = name.charAt(i);
      token &= isTokenChar(c) || c == '%' || c == '*' || c == '\'';
      printable &= c >= 0x20 && c < 0x7F;
    }
    if (token) {
      return "inline; filename=" + name;
    }
    return printable
        ? "inline; filename=\"" + name.replace("\\", "\\\\").replace("\"", "\\\"") + "\""
        : "inline; filename*=utf-8''" + percentEncoded(name);
  }

  private static String percentEncoded(String name) {
    StringBuilder encoded = new StringBuilder(name.length() * 3);
    for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
      if (b >= 0 && isTokenChar((char) b)) {
        encoded.append((char) b);
      } else {
        encoded
            .append('%')
            .append(Character.toUpperCase(Character.forDigit(b >> 4 & 15, 16)))
            .append(Character.toUpperCase(Character.forDigit(b & 15, 16)));
      }
    }
    return encoded.toString();
  }

  private static boolean isTokenChar(char c) {
    return (c >= 'a' && c <= 'z')
        || (c >= 'A' && c <= 'Z')
        || (c >= '0' && c <= '9')
        || TOKEN_SIGNS.indexOf(c) >= 0;
  }
}
