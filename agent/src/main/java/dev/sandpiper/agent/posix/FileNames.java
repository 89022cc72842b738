package dev.sandpiper.agent.posix;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// File names, which are bytes on Linux, as strings, and back without loss.
///
/// What is valid UTF-8 is itself. Every byte that is not part of valid UTF-8 becomes the private-use character U+EF00
/// plus the byte, that is U+EF80 to U+EFFF. Where a name really holds one of those characters, its three bytes are
/// written the same way. So different names give different strings, each string that {@link #decode} gives leads back to
/// the same bytes, and a name that was listed can be used again.
public final class FileNames {
  private static final char FIRST = 0xEF80;
  private static final char LAST = 0xEFFF;
  private static final int BASE = 0xEF00;

  private FileNames() {}

  /// The string of a name.
  public static String decode(byte[] name) {
    return decode(name, 0, name.length);
  }

  /// The string of a name that lies in a larger array.
  public static String decode(byte[] bytes, int offset, int length) {
    int end = offset + length;
    for (int i = offset; i < end; i++) {
      if (bytes[i] < 0) {
        return decodeSlowly(bytes, offset, end);
      }
    }
    return new String(bytes, offset, length, StandardCharsets.ISO_8859_1);
  }

  private static String decodeSlowly(byte[] bytes, int offset, int end) {
    StringBuilder text = new StringBuilder(end - offset);
    int i = offset;
    while (i < end) {
      int length = sequence(bytes, i, end);
      if (length == 0) {
        text.append((char) (BASE + (bytes[i++] & 0xFF)));
        continue;
      }
      int character = codePoint(bytes, i, length);
      if (character >= FIRST && character <= LAST) {
        for (int each = i; each < i + length; each++) {
          text.append((char) (BASE + (bytes[each] & 0xFF)));
        }
      } else {
        text.appendCodePoint(character);
      }
      i += length;
    }
    return text.toString();
  }

  /// The length of the valid UTF-8 sequence at an index (RFC 3629, section 4); 0 where there is none.
  private static int sequence(byte[] bytes, int at, int end) {
    int first = bytes[at] & 0xFF;
    if (first < 0x80) {
      return 1;
    }
    int length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (length == 0 || at + length > end) {
      return 0;
    }
    int second = bytes[at + 1] & 0xFF;
    int low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80; // shorter ways to write the same
    int high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF; // surrogates; beyond U+10FFFF
    if (second < low || second > high) {
      return 0;
    }
    for (int i = at + 2; i < at + length; i++) {
      if ((bytes[i] & 0xC0) != 0x80) {
        return 0;
      }
    }
    return length;
  }

  private static int codePoint(byte[] bytes, int at, int length) {
    int first = bytes[at] & 0xFF;
    int value = length == 1 ? first : first & (0x7F >> length);
    for (int i = at + 1; i < at + length; i++) {
      value = (value << 6) | (bytes[i] & 0x3F);
    }
    return value;
  }

  /// The bytes of a string.
  ///
  /// @throws IllegalArgumentException for a NUL and for half of a surrogate pair, which no name can hold
  public static byte[] encode(String text) {
    byte[] bytes = encodeOrNull(text);
    if (bytes == null) {
      throw new IllegalArgumentException(
          "'" + text + "' cannot be a file name: it holds NUL or half a surrogate pair");
    }
    return bytes;
  }

  /// The same; null where {@link #encode} throws.
  static byte @Nullable [] encodeOrNull(String text) {
    int length = text.length();
    for (int i = 0; i < length; i++) {
      char c = text.charAt(i);
      if (c == 0) {
        return null; // the kernel would read a different, shorter path
      }
      if (c >= 0x80) {
        return encodeSlowly(text);
      }
    }
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  private static byte @Nullable [] encodeSlowly(String text) {
    byte[] bytes = new byte[text.length() * 3];
    int at = 0;
    for (int i = 0; i < text.length(); i++) {
      int c = text.codePointAt(i);
      if (c == 0 || (c >= 0xD800 && c <= 0xDFFF)) {
        return null;
      }
      if (c < 0x80) {
        bytes[at++] = (byte) c;
      } else if (c >= FIRST && c <= LAST) {
        bytes[at++] = (byte) (c - BASE);
      } else if (c < 0x800) {
        bytes[at++] = (byte) (0xC0 | (c >> 6));
        bytes[at++] = following(c);
      } else if (c < 0x10000) {
        bytes[at++] = (byte) (0xE0 | (c >> 12));
        bytes[at++] = following(c >> 6);
        bytes[at++] = following(c);
      } else {
        i++; // it took two characters
        bytes[at++] = (byte) (0xF0 | (c >> 18));
        bytes[at++] = following(c >> 12);
        bytes[at++] = following(c >> 6);
        bytes[at++] = following(c);
      }
    }
    return Arrays.copyOf(bytes, at);
  }

  /// Any byte of a sequence but its first.
  private static byte following(int bits) {
    return (byte) (0x80 | (bits & 0x3F));
  }
}
