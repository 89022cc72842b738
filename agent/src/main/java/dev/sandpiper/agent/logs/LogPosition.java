package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.output.StreamName;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/// A place in the one order of all entries: by time, then by process, then as the process printed, then by offset.
///
/// [#token] is what users see, a cursor: no more than this key, so it means the same in every run of the agent and whatever
/// retention removes. Within one instant no two entries have the same one.
///
/// @param timeMicros microseconds since 1970
/// @param processId [#AGENT] for the agent's own lines
/// @param rank start, gap, output, end
/// @param order of the index entry that the line belongs to, counting over all streams of the process
/// @param stream of output
/// @param offset of the line's first byte, behind the gap's last one; where the agent's line begins
public record LogPosition(
    long timeMicros,
    String processId,
    Rank rank,
    long order,
    @Nullable StreamName stream,
    long offset)
    implements Comparable<LogPosition> {
  /// What comes first among the entries of one process and instant.
  public enum Rank {
    START(0),
    /// What is gone; its offset is where it ends.
    GAP(1),
    OUTPUT(2),
    END(3);

    private static final Rank[] ALL = values();

    /// Part of cursors, so it never changes.
    private final int number;

    Rank(int number) {
      this.number = number;
    }
  }

  /// Stands where a process id would; no process has it.
  public static final String AGENT = "agent";

  private static final byte VERSION = 1;
  private static final int FIXED_BYTES = 1 + Long.BYTES + 1 + 1 + Long.BYTES + Long.BYTES;
  private static final int MOST_ID_BYTES = 64;

  public LogPosition {
    if (processId.isEmpty() || processId.length() > MOST_ID_BYTES || offset < 0) {
      throw new IllegalArgumentException("no position: " + processId + " at " + offset);
    }
  }

  @Override
  public int compareTo(LogPosition other) {
    int compared = Long.compare(timeMicros, other.timeMicros);
    if (compared == 0) {
      compared = processId.compareTo(other.processId);
    }
    if (compared == 0) {
      compared = rank.compareTo(other.rank);
    }
    if (compared == 0) {
      compared = Long.compare(order, other.order);
    }
    if (compared == 0) {
      compared = Integer.compare(number(stream), number(other.stream));
    }
    return compared == 0 ? Long.compare(offset, other.offset) : compared;
  }

  private static int number(@Nullable StreamName stream) {
    return stream == null ? -1 : stream.number();
  }

  /// The cursor: letters, digits, `-` and `_`.
  public String token() {
    byte[] id = processId.getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes = ByteBuffer.allocate(FIXED_BYTES + id.length + Integer.BYTES);
    bytes
        .put(VERSION)
        .putLong(timeMicros)
        .put((byte) rank.number)
        .put((byte) number(stream))
        .putLong(order)
        .putLong(offset)
        .put(id);
    bytes.putInt(checksum(bytes.array(), bytes.position()));
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes.array());
  }

  /// The position of a cursor.
  ///
  /// @throws LogFailure when it is none
  public static LogPosition parse(String token) throws LogFailure {
    try {
      byte[] all = Base64.getUrlDecoder().decode(token);
      int idBytes = all.length - FIXED_BYTES - Integer.BYTES;
      ByteBuffer bytes = ByteBuffer.wrap(all);
      if (idBytes < 1
          || idBytes > MOST_ID_BYTES
          || bytes.getInt(all.length - Integer.BYTES) != checksum(all, all.length - Integer.BYTES)
          || bytes.get() != VERSION) {
        throw malformed(token);
      }
      long time = bytes.getLong();
      Rank rank = Rank.ALL[bytes.get()];
      byte stream = bytes.get();
      long order = bytes.getLong();
      long offset = bytes.getLong();
      String id = new String(all, bytes.position(), idBytes, StandardCharsets.UTF_8);
      StreamName name = stream < 0 ? null : StreamName.of(stream);
      return new LogPosition(time, id, rank, order, name, offset);
    } catch (IllegalArgumentException | IndexOutOfBoundsException _) {
      throw malformed(token);
    }
  }

  private static LogFailure malformed(String token) {
    String shown = token.length() > 100 ? token.substring(0, 100) + "…" : token;
    return new LogFailure(LogFailure.Reason.BAD_CURSOR, "cursor: '" + shown + "' is no cursor");
  }

  private static int checksum(byte[] bytes, int length) {
    CRC32C sum = new CRC32C();
    sum.update(bytes, 0, length);
    return (int) sum.getValue();
  }
}
