package dev.sandpiper.agent.record;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// The batch of lines that leaves with the next write. Bytes, not objects: a record is written here once.
///
/// Bound: 64 KiB, or one record where that is longer. Full: when the next line begins, the batch goes to the [Drain]
/// first, which may take as long as the reader of standard output takes. Not thread-safe.
final class RecordBuffer {
  /// Takes whole lines, `bytes[0, length)`. Writes or drops (and counts) them before it returns.
  interface Drain {
    void drain(byte[] bytes, int length);
  }

  /// What an unread pipe holds by default; larger writes gain nothing (measured).
  static final int BATCH_BYTES = 64 * 1024;

  private static final byte[] CUT = "…".getBytes(StandardCharsets.UTF_8);

  private final Drain drain;
  private final JsonText json = new JsonText();
  private final JsonText.Measure measure = new JsonText.Measure();
  private byte[] bytes = new byte[BATCH_BYTES];
  private int size;

  RecordBuffer(Drain drain) {
    this.drain = drain;
  }

  /// How many lines these are.
  static int lines(byte[] bytes) {
    int count = 0;
    for (byte it : bytes) {
      if (it == '\n') {
        count++;
      }
    }
    return count;
  }

  /// Takes what lies here, which then does not leave.
  byte[] take() {
    byte[] taken = Arrays.copyOf(bytes, size);
    size = 0;
    return taken;
  }

  /// Makes room for a line of at most `most` bytes, so that it lands in one batch whole.
  void begin(int most) {
    if (size >= BATCH_BYTES || bytes.length - size < most) {
      flush();
      if (bytes.length < most) {
        bytes = new byte[most];
      }
    }
  }

  /// Ends the line that was begun.
  void end() {
    bytes[size++] = '\n';
  }

  void flush() {
    if (size > 0) {
      drain.drain(bytes, size);
      size = 0;
    }
  }

  /// A line that was made elsewhere, without or with its line end.
  void line(byte[] line) {
    int length = line.length;
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r')) {
      length--;
    }
    begin(length + 1);
    put(line, length);
    end();
  }

  void put(byte value) {
    bytes[size++] = value;
  }

  void put(byte[] source, int length) {
    System.arraycopy(source, 0, bytes, size, length);
    size += length;
  }

  void ascii(String text) {
    for (int i = 0; i < text.length(); i++) {
      bytes[size++] = (byte) text.charAt(i);
    }
  }

  void number(long value) {
    if (value < 0) {
      ascii(Long.toString(value));
      return;
    }
    int digits = 1;
    for (long rest = value; rest >= 10; rest /= 10) {
      digits++;
    }
    long rest = value;
    for (int i = size + digits - 1; i >= size; i--) {
      bytes[i] = (byte) ('0' + rest % 10);
      rest /= 10;
    }
    size += digits;
  }

  void time(Timestamp timestamp, long epochMicros) {
    size = timestamp.write(epochMicros, bytes, size);
  }

  /// The inside of a JSON string. Returns the bytes of its text, as the caps count them.
  int text(byte[] raw, int from, int to) {
    size = json.write(raw, from, to, bytes, size);
    return json.textBytes(to - from);
  }

  /// `,"name":value`
  void field(String name, long value) {
    name(name);
    number(value);
  }

  /// `,"name":"value"`, the value cut (and ending in `…`) where it would take more than `most` encoded bytes.
  void field(String name, String value, int most) {
    name(name);
    byte[] raw = value.getBytes(StandardCharsets.UTF_8);
    measure.clear();
    boolean cut = measure.advance(raw, 0, raw.length, true, Long.MAX_VALUE, most - CUT.length);
    put((byte) '"');
    text(raw, 0, measure.rawBytes());
    if (cut) {
      put(CUT, CUT.length);
    }
    put((byte) '"');
  }

  private void name(String name) {
    put((byte) ',');
    put((byte) '"');
    ascii(name);
    put((byte) '"');
    put((byte) ':');
  }
}
