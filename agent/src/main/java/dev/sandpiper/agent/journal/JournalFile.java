package dev.sandpiper.agent.journal;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.CRC32C;

/// The form of the journal's file: a header (what it is, its version), then frames of `length, CRC-32C, body`, little endian.
///
/// Reading stops at the first frame that is not whole. If it reaches the end of the file, it is the torn tail of a write that a
/// crash cut short, and normal; if more follows, the file is damaged, and that is said.
final class JournalFile {
  static final int VERSION = 1;
  static final int FRAME_BYTES = 8;
  private static final long MAGIC = 0x6C6E_724A_7050_6153L; // "SaPpJrnl"
  private static final int HEADER_BYTES = 16;

  private static final int BUFFER_BYTES = 64 * 1024;

  /// Arguments of one command have 2 MiB at most on Linux; a length beyond this is nonsense.
  static final int MAX_BODY_BYTES = 16 << 20;

  enum State {
    WHOLE,
    /// The last entry is cut: it was never acknowledged.
    TORN,
    /// Something is wrong before the end.
    DAMAGED,
    /// Not ours, or of a newer version.
    FOREIGN
  }

  /// @param entries how many were read
  /// @param validBytes length of the part that was read
  record Content(State state, int entries, long validBytes, String problem) {}

  /// Gets the body of one entry after the other.
  interface Visitor {
    void entry(int number, byte[] body) throws IOException;
  }

  private JournalFile() {}

  static byte[] header() {
    return little(HEADER_BYTES).putLong(MAGIC).putInt(VERSION).array();
  }

  static byte[] frame(byte[] body) {
    return little(FRAME_BYTES + body.length)
        .putInt(body.length)
        .putInt(checksum(body))
        .put(body)
        .array();
  }

  private static ByteBuffer little(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static int checksum(byte[] body) {
    CRC32C crc = new CRC32C();
    crc.update(body);
    return (int) crc.getValue();
  }

  /// Reads as far as it is whole, one entry at a time: a journal may be larger than our memory.
  static Content read(Path file, Visitor visitor) throws IOException {
    return read(file, Long.MAX_VALUE, visitor);
  }

  /// The same with the first `limit` bytes, which end with an entry.
  static Content read(Path file, long limit, Visitor visitor) throws IOException {
    long size = Math.min(Files.size(file), limit);
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file), BUFFER_BYTES)) {
      byte[] header = in.readNBytes(HEADER_BYTES);
      if (header.length < HEADER_BYTES) {
        return Arrays.equals(header, Arrays.copyOf(header(), header.length))
            ? new Content(State.TORN, 0, 0, "its header is cut")
            : foreign("it is no journal");
      }
      ByteBuffer start = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN);
      if (start.getLong() != MAGIC) {
        return foreign("it is no journal");
      }
      int version = start.getInt();
      return version == VERSION ? entries(in, size, visitor) : foreign("its version is " + version);
    }
  }

  private static Content foreign(String problem) {
    return new Content(State.FOREIGN, 0, 0, problem);
  }

  private static Content entries(InputStream in, long size, Visitor visitor) throws IOException {
    int count = 0;
    long at = HEADER_BYTES;
    while (true) {
      byte[] frame = in.readNBytes((int) Math.min(FRAME_BYTES, size - at));
      if (frame.length == 0) {
        return new Content(State.WHOLE, count, at, "");
      }
      long left = size - at - frame.length;
      ByteBuffer head = ByteBuffer.wrap(frame).order(ByteOrder.LITTLE_ENDIAN);
      int length = frame.length < FRAME_BYTES ? 0 : head.getInt();
      if (length < 0 || length > MAX_BODY_BYTES) {
        return damaged(count, at, size, "length " + length);
      }
      byte[] body = frame.length < FRAME_BYTES || length > left ? null : in.readNBytes(length);
      if (body == null || body.length < length) {
        return new Content(State.TORN, count, at, "the last entry is cut");
      }
      if (checksum(body) != head.getInt()) {
        return length < left
            ? damaged(count, at, size, "checksum")
            : new Content(State.TORN, count, at, "the last entry is cut");
      }
      visitor.entry(count++, body);
      at += FRAME_BYTES + length;
    }
  }

  private static Content damaged(int count, long at, long end, String what) {
    return new Content(
        State.DAMAGED,
        count,
        at,
        "bad %s at byte %d, the %d bytes from there on are not readable"
            .formatted(what, at, end - at));
  }
}
