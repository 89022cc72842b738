package dev.sandpiper.agent.output;

import java.io.ByteArrayOutputStream;
import org.jspecify.annotations.Nullable;

/// An index of few entries as a few bytes, for the journal: no file is made for a short output.
///
/// A version, then per entry the stream, how many bytes it grew and how much later than the entry before, in variable-length
/// numbers: about eight bytes.
final class SmallIndex {
  /// Half a kilobyte in the journal.
  static final int MAX_ENTRIES = 64;

  private static final int VERSION = 1;

  private SmallIndex() {}

  static boolean fits(Index index) {
    return index.first() == 0 && !index.hasParts() && index.count() <= MAX_ENTRIES;
  }

  /// Empty when it does not fit, or has nothing to say.
  static byte[] encode(Index index) {
    if (index.isEmpty() || !fits(index)) {
      return new byte[0];
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(VERSION);
    long[] ends = new long[StreamName.COUNT];
    long micros = 0;
    for (long order = 0; order < index.count(); order++) {
      long word = index.word(order);
      int stream = Index.streamOf(word).number;
      out.write(stream);
      number(out, Index.endOf(word) - ends[stream]);
      number(out, zigzag(index.micros(order) - micros));
      ends[stream] = Index.endOf(word);
      micros = index.micros(order);
    }
    return out.toByteArray();
  }

  /// Null when it says nothing or is not understood.
  static @Nullable Index decode(byte[] bytes) {
    if (bytes.length == 0 || bytes[0] != VERSION) {
      return null;
    }
    Index index = new Index();
    long[] ends = new long[StreamName.COUNT];
    long micros = 0;
    Reader in = new Reader(bytes);
    while (in.hasMore()) {
      int stream = in.next();
      if (stream < 0 || stream >= StreamName.COUNT) {
        return null;
      }
      ends[stream] += in.number();
      micros += unzigzag(in.number());
      if (in.torn) {
        return null;
      }
      index.append(StreamName.of(stream), ends[stream], micros);
      index.seal();
    }
    index.trim();
    return index;
  }

  private static void number(ByteArrayOutputStream out, long value) {
    long rest = value;
    while ((rest & ~0x7FL) != 0) {
      out.write((int) (rest & 0x7F) | 0x80);
      rest >>>= 7;
    }
    out.write((int) rest);
  }

  private static long zigzag(long value) {
    return value << 1 ^ value >> 63;
  }

  private static long unzigzag(long value) {
    return value >>> 1 ^ -(value & 1);
  }

  private static final class Reader {
    private final byte[] bytes;
    private int at = 1;
    private boolean torn;

    Reader(byte[] bytes) {
      this.bytes = bytes;
    }

    boolean hasMore() {
      return at < bytes.length;
    }

    int next() {
      if (at >= bytes.length) {
        torn = true;
        return 0;
      }
      return bytes[at++];
    }

    long number() {
      long value = 0;
      for (int shift = 0; shift < Long.SIZE; shift += 7) {
        int part = next();
        value |= (long) (part & 0x7F) << shift;
        if ((part & 0x80) == 0) {
          return value;
        }
      }
      torn = true;
      return value;
    }
  }
}
