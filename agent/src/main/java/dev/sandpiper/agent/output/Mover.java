package dev.sandpiper.agent.output;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.nio.ByteBuffer;

/// How bytes get from a source into the active segment: one move at a time, and the room for it made before. Pipe loop only.
///
/// A segment is only created when poll(2) has seen a byte, so that nothing is created for a stream without output.
final class Mover {
  /// As much as a pipe holds.
  static final int SPLICE_BYTES = 256 * 1024;

  // Results of a move besides the number of bytes and other errors.

  /// There will never be another byte.
  static final long END = 0;

  static final long NOTHING = -Errno.EAGAIN;

  /// There is no room as long as a reader does not go on; the pump is told when it does.
  static final long HELD = Long.MIN_VALUE;

  private static final int MAX_EVICTIONS = 256;
  private static final int FLAGS = Fcntl.SPLICE_F_MOVE | Fcntl.SPLICE_F_NONBLOCK;

  private final OutputLog log;
  private final StreamLog stream;
  private final Pump pump;
  private final OutputStore store;

  /// splice(2) was refused.
  private boolean copying;

  private boolean masterEnded;

  /// Bytes may lie in the FIFO behind a terminal.
  private boolean fifoMayHold = true;

  Mover(OutputLog log, StreamLog stream, Pump pump) {
    this.log = log;
    this.stream = stream;
    this.pump = pump;
    this.store = log.store;
  }

  /// Moves at most [#SPLICE_BYTES]. Returns how many, or one of the results above, or `-errno`.
  long move(OutputSource source) {
    return switch (source) {
      case OutputSource.Pipe pipe -> move(pipe.readFd());
      case OutputSource.Terminal terminal -> terminal(terminal);
    };
  }

  private long terminal(OutputSource.Terminal terminal) {
    if (fifoMayHold) {
      long moved = move(terminal.fifoReadFd());
      if (moved != NOTHING) {
        return moved;
      }
      fifoMayHold = false;
    }
    if (masterEnded) {
      return END;
    }
    long taken = Posix.splice(terminal.masterFd(), terminal.fifoWriteFd(), SPLICE_BYTES, FLAGS);
    if (taken == 0 || taken == -Errno.EIO) {
      masterEnded = true; // EIO: the last one who had the terminal open has closed it
      return END;
    }
    if (taken == -Errno.EINVAL) {
      return copyTerminal(terminal);
    }
    if (taken < 0) {
      return taken;
    }
    fifoMayHold = true;
    return move(terminal.fifoReadFd());
  }

  /// A kernel that does not splice from terminals.
  private long copyTerminal(OutputSource.Terminal terminal) {
    log.notCrashExact();
    ByteBuffer buffer = store.buffer();
    buffer.limit(4096); // one page: what an empty FIFO always takes
    long taken = Posix.read(terminal.masterFd(), buffer);
    if (taken == 0 || taken == -Errno.EIO) {
      masterEnded = true;
      return END;
    }
    if (taken < 0) {
      return taken;
    }
    long put = Posix.write(terminal.fifoWriteFd(), buffer.flip());
    if (put < taken) {
      throw new IllegalStateException(
          "the FIFO of a terminal took " + put + " of " + taken + " bytes");
    }
    fifoMayHold = true;
    return move(terminal.fifoReadFd());
  }

  /// From a pipe into the active segment, at most to its end.
  private long move(int in) {
    for (int turn = 0; turn < MAX_EVICTIONS; turn++) {
      long moved = moveOnce(in);
      if (!isDiskFull(moved)) {
        return moved;
      }
      store.diskFull(log);
      switch (store.retention.freeDisk(log, pump)) {
        case DROPPED -> {}
        case HELD -> {
          return HELD;
        }
        case NOTHING_LEFT -> {
          return discard(in);
        }
      }
    }
    return discard(in);
  }

  private long moveOnce(int in) {
    long segmentBytes = store.retention.segmentBytes();
    boolean fresh = stream.active == null || stream.active.length >= segmentBytes;
    if (fresh) {
      long ready = poll(in);
      if (ready <= 0) {
        return ready;
      }
    }
    long room = stream.active == null || fresh ? segmentBytes : segmentBytes - stream.active.length;
    long wanted = Math.min(SPLICE_BYTES, room);
    if (!store.retention.makeRoom(log, wanted, pump)) {
      long ready = poll(in); // Who has ended needs no room.
      return ready <= 0 ? ready : HELD;
    }
    Segment active = stream.active;
    if (active == null || fresh) {
      int[] error = new int[1];
      active = Segment.create(stream.name, stream.end, log.path(stream), store.nextNumber(), error);
      if (active == null) {
        return error[0];
      }
      log.begin(stream, active);
    }
    long moved = copying ? copy(in, active, wanted) : Posix.splice(in, active.fd(), wanted, FLAGS);
    if (moved == -Errno.EINVAL && !copying) {
      copying = true;
      log.notCrashExact();
      moved = copy(in, active, wanted);
    }
    if (moved > 0) {
      log.grew(stream, moved);
    }
    return moved;
  }

  /// 1 when there is a byte, [#END] when there will never be one, [#NOTHING], or an error.
  private static long poll(int fd) {
    int events = Posix.poll(fd, Posix.POLLIN);
    if (events < 0) {
      return events;
    }
    if ((events & Posix.POLLIN) != 0) {
      return 1;
    }
    return events == 0 ? NOTHING : END;
  }

  /// Where the file system refuses splice(2): through our memory, and the log is not crash-exact.
  private long copy(int in, Segment active, long wanted) {
    ByteBuffer buffer = store.buffer();
    buffer.limit((int) Math.min(buffer.capacity(), wanted));
    long taken = Posix.read(in, buffer);
    if (taken <= 0) {
      return taken;
    }
    buffer.flip();
    while (buffer.hasRemaining()) {
      long put = Posix.write(active.fd(), buffer);
      if (put < 0) {
        int written = buffer.position();
        if (written > 0) {
          log.grew(stream, written);
        }
        lose(buffer.remaining());
        return put == -Errno.EINTR ? NOTHING : put;
      }
    }
    return taken;
  }

  /// No room anywhere, and nothing left to remove: the bytes are taken and thrown away, so that the command goes on.
  private long discard(int in) {
    long gone = Posix.splice(in, store.devNull(), SPLICE_BYTES, FLAGS);
    if (gone > 0) {
      lose(gone);
    }
    return gone;
  }

  private void lose(long bytes) {
    while (log.dropOldest() > 0) {
      // A gap is at the beginning of what is kept, never inside.
    }
    log.lost(stream, bytes);
  }

  private static boolean isDiskFull(long result) {
    return result == -Errno.ENOSPC || result == -Errno.EDQUOT || result == -Errno.EFBIG;
  }
}
