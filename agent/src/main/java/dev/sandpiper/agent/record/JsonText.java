package dev.sandpiper.agent.record;

/// Raw bytes as the inside of a JSON string: escaped where JSON asks for it, U+FFFD where they are not UTF-8.
///
/// Two sizes of the same text matter and are never mixed: its *text* bytes, which the caps count (UTF-8, after
/// replacement, before escaping), and its *encoded* bytes, which a shipper's limit on a record is about.
///
/// Not thread-safe.
final class JsonText {
  /// The most encoded bytes that one raw byte can become: a control character as a four-digit escape.
  static final int MAX_GROWTH = 6;

  private static final byte PLAIN = 0;
  private static final byte HIGH = 1; // 0x80 and up: to be checked as UTF-8
  private static final byte CONTROL = 2; // leaves as a four-digit escape
  // Every other value is the letter of a two-character escape.
  private static final byte[] KIND = new byte[256];
  private static final byte[] HEX = {
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'
  };

  static {
    for (int i = 0; i < 0x20; i++) {
      KIND[i] = CONTROL;
    }
    for (int i = 0x80; i < 0x100; i++) {
      KIND[i] = HIGH;
    }
    KIND['"'] = '"';
    KIND['\\'] = '\\';
    KIND['\b'] = 'b';
    KIND['\f'] = 'f';
    KIND['\n'] = 'n';
    KIND['\r'] = 'r';
    KIND['\t'] = 't';
  }

  private int added; // text bytes beyond the raw ones, in the text written last

  /// The text bytes of what was written last, given how many raw ones it had.
  int textBytes(int rawBytes) {
    return rawBytes + added;
  }

  /// Writes `bytes[from, to)` into `out` at `at`, where [#MAX_GROWTH] times as many bytes must be free, and returns
  /// the position behind them. What is cut off at `to` inside a character counts as a mistake.
  int write(byte[] bytes, int from, int to, byte[] out, int at) {
    added = 0;
    int i = from;
    int run = from; // what lies between run and i leaves as it is
    int position = at;
    while (i < to) {
      byte kind = KIND[bytes[i] & 0xff];
      if (kind == PLAIN) {
        i++;
        continue;
      }
      int step = 1;
      if (kind == HIGH) {
        step = Utf8.step(bytes, i, to);
        if (step > 0) {
          i += step;
          continue;
        }
        step = step == 0 ? to - i : -step;
        added += Utf8.REPLACEMENT_BYTES - step;
      }
      System.arraycopy(bytes, run, out, position, i - run);
      position += i - run;
      position = special(kind, bytes[i], out, position);
      i += step;
      run = i;
    }
    System.arraycopy(bytes, run, out, position, i - run);
    return position + (i - run);
  }

  private static int special(byte kind, byte value, byte[] out, int at) {
    int position = at;
    switch (kind) {
      case HIGH -> {
        out[position++] = (byte) 0xef;
        out[position++] = (byte) 0xbf;
        out[position++] = (byte) 0xbd;
      }
      case CONTROL -> {
        out[position++] = '\\';
        out[position++] = 'u';
        out[position++] = '0';
        out[position++] = '0';
        out[position++] = HEX[value >> 4];
        out[position++] = HEX[value & 15];
      }
      default -> {
        out[position++] = '\\';
        out[position++] = kind;
      }
    }
    return position;
  }

  /// How much of a text fits, counted from the front, character by character. Not thread-safe; made to be used again.
  static final class Measure {
    private int raw;
    private int text;
    private int encoded;

    /// The raw bytes that fit: always whole characters and whole mistakes.
    int rawBytes() {
      return raw;
    }

    int textBytes() {
      return text;
    }

    int encodedBytes() {
      return encoded;
    }

    void clear() {
      raw = 0;
      text = 0;
      encoded = 0;
    }

    /// Goes on from where it stands, at most to `length`, and stops before the character that would pass one of the
    /// limits. An unfinished character at the end is left alone unless `complete`.
    ///
    /// Returns whether a limit stopped it.
    boolean advance(
        byte[] bytes, int start, int length, boolean complete, long maxText, long maxEncoded) {
      while (raw < length) {
        int at = start + raw;
        byte kind = KIND[bytes[at] & 0xff];
        int step = 1;
        int texts = 1;
        int encodes = 1;
        if (kind == HIGH) {
          step = Utf8.step(bytes, at, start + length);
          if (step == 0) {
            if (!complete) {
              return false;
            }
            step = raw - length;
          }
          texts = step > 0 ? step : Utf8.REPLACEMENT_BYTES;
          encodes = texts;
          step = Math.abs(step);
        } else if (kind == CONTROL) {
          encodes = MAX_GROWTH;
        } else if (kind != PLAIN) {
          encodes = 2;
        }
        if (text + texts > maxText || encoded + encodes > maxEncoded) {
          return true;
        }
        raw += step;
        text += texts;
        encoded += encodes;
      }
      return false;
    }
  }
}
