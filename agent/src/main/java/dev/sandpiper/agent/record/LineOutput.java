package dev.sandpiper.agent.record;

import dev.sandpiper.agent.posix.Errno;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// Whole lines, or nothing of them, onto a descriptor that may block, take less, or refuse.
///
/// A line that was begun is finished before anything else, whatever happens in between: the descriptor may be a file
/// on a full disk, or a FIFO whose next reader goes on where the last one stopped. Into a pipe no more is written at a
/// time than it has room for, in whole lines, so that an agent that is killed while nobody reads leaves no half a line.
/// Belongs to the record thread, except where a method says otherwise.
final class LineOutput {
  /// Hears how much of a batch has left.
  interface Progress {
    /// So many bytes from its beginning.
    void written(int bytes);
  }

  private static final Progress NOBODY = _ -> {};

  /// What a pipe takes as a whole or not at all (`PIPE_BUF`).
  private static final int ATOMIC_BYTES = 4096;

  // A descriptor that somebody else made non-blocking is asked again after 1 ms, then ever later.
  private static final long FIRST_PAUSE_NANOS = 1_000_000;
  private static final long LAST_PAUSE_NANOS = 50_000_000;

  private static final byte[] NOTHING = {};

  private final RecordSink sink;
  private @Nullable ByteBuffer direct; // not needed when batches are direct themselves
  private Progress progress = NOBODY;
  private byte[] unfinished = NOTHING;
  private long written;
  private long left;
  private boolean began;
  private int errno;
  private volatile long inFlight;
  private volatile long giveUpAt;
  private volatile boolean limited;

  LineOutput(RecordSink sink) {
    this.sink = sink;
  }

  /// Writes the lines in `bytes[0, length)`. Returns how many of them are lost.
  int write(byte[] bytes, int length) {
    return write(bytes, length, null, NOBODY);
  }

  /// The same with the lines in a direct buffer as well, and somebody who hears how far they came.
  int write(byte[] bytes, int length, @Nullable ByteBuffer lines, Progress listener) {
    written = 0;
    began = false;
    left = length;
    inFlight = length;
    errno = 0;
    int taken = 0;
    if (finish()) {
      progress = listener;
      if (lines == null) {
        taken = push(bytes, length);
      } else {
        push(lines);
        taken = lines.position();
      }
      progress = NOBODY;
    }
    inFlight = 0;
    began = taken > 0;
    if (taken == length) {
      return 0;
    }
    int begun = taken == 0 || bytes[taken - 1] == '\n' ? taken : lineEnd(bytes, taken, length);
    if (begun > taken) {
      unfinished = Arrays.copyOfRange(bytes, taken, begun);
    }
    return lines(bytes, begun, length);
  }

  /// Writes the rest of a line that was begun. True when there is none left.
  boolean finish() {
    int taken = push(unfinished, unfinished.length);
    unfinished =
        taken == unfinished.length
            ? NOTHING
            : Arrays.copyOfRange(unfinished, taken, unfinished.length);
    return unfinished.length == 0;
  }

  /// Bytes that the last [#write] wrote.
  long written() {
    return written;
  }

  /// Whether the first line of the last [#write] left, or will before anything else.
  boolean began() {
    return began;
  }

  /// Whether a line was begun and is not finished.
  boolean torn() {
    return unfinished.length > 0;
  }

  /// Whether the time given by [#giveUpAfter] ended the last [#write] before all was taken.
  boolean gaveUp() {
    return errno == Errno.EAGAIN;
  }

  /// Whether the last attempt failed.
  boolean failing() {
    return errno != 0;
  }

  /// Why the last attempt failed, if it did.
  @Nullable String failure() {
    return errno == 0 ? null : Errno.describe(errno);
  }

  /// Bytes handed over and not written yet. Any thread.
  long inFlight() {
    return inFlight;
  }

  /// From now on a descriptor that takes nothing is asked again for so long only. Any thread.
  void giveUpAfter(Duration limit) {
    giveUpAt = System.nanoTime() + limit.toNanos();
    limited = true;
  }

  /// Whether the time given by [#giveUpAfter] is over. Any thread.
  boolean expired() {
    return limited && System.nanoTime() - giveUpAt > 0;
  }

  private int push(byte[] bytes, int length) {
    int taken = 0;
    while (taken < length) {
      var direct = this.direct;
      if (direct == null) {
        direct = ByteBuffer.allocateDirect(RecordBuffer.BATCH_BYTES);
        this.direct = direct;
      }
      int count = Math.min(length - taken, direct.capacity());
      direct.clear().put(bytes, taken, count).flip();
      boolean all = push(direct);
      taken += direct.position();
      if (!all) {
        break;
      }
    }
    return taken;
  }

  private boolean push(ByteBuffer lines) {
    long pause = FIRST_PAUSE_NANOS;
    int limit = lines.limit();
    while (lines.hasRemaining()) {
      int most = most(lines);
      long result = 0; // no room
      if (most > 0) {
        result = sink.write(lines.limit(lines.position() + most));
        lines.limit(limit);
      }
      if (result > 0) {
        written += result;
        left -= result;
        inFlight = left;
        progress.written(lines.position());
        pause = FIRST_PAUSE_NANOS;
      } else if (result == 0 || result == -Errno.EAGAIN) {
        if (expired()) {
          errno = Errno.EAGAIN;
          return false;
        }
        LockSupport.parkNanos(this, pause);
        pause = Math.min(2 * pause, LAST_PAUSE_NANOS);
      } else if (result != -Errno.EINTR) {
        errno = (int) -result;
        return false;
      }
    }
    return true;
  }

  /// How much of it to write now: all, or as many whole lines as a pipe has room for; 0 for none yet.
  private int most(ByteBuffer lines) {
    int from = lines.position();
    int left = lines.remaining();
    int room = left <= ATOMIC_BYTES ? left : sink.room();
    if (left <= room) {
      return left;
    }
    for (int end = from + Math.max(room, ATOMIC_BYTES); end > from; end--) {
      if (lines.get(end - 1) == '\n') {
        return end - from;
      }
    }
    // One long line, or the rest of one.
    int end = from + room;
    while (end < lines.limit() && lines.get(end) != '\n') {
      end++;
    }
    int line = Math.min(left, end + 1 - from);
    return line <= room || room >= sink.mostRoom() ? line : 0;
  }

  private static int lineEnd(byte[] bytes, int from, int length) {
    int at = from;
    while (at < length && bytes[at] != '\n') {
      at++;
    }
    return Math.min(at + 1, length);
  }

  private static int lines(byte[] bytes, int from, int length) {
    int count = 0;
    for (int i = from; i < length; i++) {
      if (bytes[i] == '\n') {
        count++;
      }
    }
    return count;
  }
}
