package dev.sandpiper.agent.output;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.nio.ByteBuffer;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Moves the bytes of one stream from its source into segments. Pipe loop only.
///
/// A pipe is in one of four ways:
///
/// | Way | Means |
/// |---|---|
/// | watched | epoll tells when there is something; at most 256 KiB are moved a time, so that nobody waits long |
/// | paced | small pieces in quick succession: the [Pacer] asks every millisecond |
/// | held | there is no room as long as a reader does not go on ([Hold]); nobody looks at the pipe |
/// | ended | every holder has closed it; removed from epoll first, closed then |
///
/// Nothing is created for a stream without output: a file only comes when poll(2) has seen a byte.
final class Pump {
  private static final Logger LOG = LoggerFactory.getLogger(Pump.class);

  /// As much as a pipe holds.
  private static final int SPLICE_BYTES = 256 * 1024;

  /// Pieces smaller than this, closer together than that, are paced.
  private static final int SMALL_BYTES = 16 * 1024;

  private static final long CLOSE_NANOS = 2_000_000;

  /// Half a pipe within a millisecond: pacing would slow its writer down, so it is left alone for a while.
  private static final int FAST_BYTES = SPLICE_BYTES / 2;

  private static final long FAST_NANOS = 20_000_000;

  /// Milliseconds without a byte after which epoll watches again.
  private static final int QUIET_TICKS = 4;

  private static final Duration RETRY = Duration.ofMillis(100);
  private static final int MAX_EVICTIONS = 256;
  private static final int FLAGS = Fcntl.SPLICE_F_MOVE | Fcntl.SPLICE_F_NONBLOCK;

  /// Results of a move besides the kernel's: there is no room for now.
  private static final long HELD = Long.MIN_VALUE;

  private static final long END = 0;
  private static final long NOTHING = -Errno.EAGAIN;

  private final OutputLog log;
  private final StreamLog stream;
  private final OutputSource source;
  private final OutputStore store;
  private @Nullable FdWatch watch;
  private boolean paced;
  private boolean held;
  private boolean ended;
  private boolean copying;
  private boolean masterEnded;

  /// Bytes may lie in the FIFO behind a terminal.
  private boolean fifoMayHold = true;

  private int quietTicks;
  private long lastMove;
  private long fastUntil;

  Pump(OutputLog log, StreamLog stream, OutputSource source) {
    this.log = log;
    this.stream = stream;
    this.source = source;
    this.store = log.store;
    this.lastMove = store.clock.nanoTime() - CLOSE_NANOS;
    this.fastUntil = lastMove;
  }

  void start() {
    watch =
        switch (source) {
          case OutputSource.Pipe pipe -> store.loop.watch(pipe.readFd(), this::readable);
          case OutputSource.Terminal terminal -> {
            FdWatch master = store.loop.watch(terminal.masterFd(), this::readable);
            drain(OutputLog.DRAIN_BYTES); // what lay in the FIFO already wakes nobody
            yield master;
          }
        };
    if (ended) {
      watch.close(); // It ended within the drain, before there was a watch.
    }
  }

  private void readable() {
    if (paced || held || ended) {
      return;
    }
    long moved = turn();
    if (moved > 0) {
      long now = store.clock.nanoTime();
      if (moved < SMALL_BYTES && now - lastMove < CLOSE_NANOS && now - fastUntil >= 0) {
        paced = true;
        quietTicks = 0;
        pause();
        store.pacer.add(this);
      }
      lastMove = now;
    }
  }

  /// A millisecond is over. False when the stream is not to be paced any more.
  boolean tick(long now) {
    if (ended || held) {
      paced = false;
      return false;
    }
    long total = 0;
    long moved;
    do {
      moved = turn();
      total += Math.max(moved, 0);
    } while (moved >= FAST_BYTES && total < OutputLog.DRAIN_BYTES);
    quietTicks = total == 0 ? quietTicks + 1 : 0;
    lastMove = now;
    if (total >= FAST_BYTES) {
      fastUntil = now + FAST_NANOS;
    }
    if (!ended && !held && total < FAST_BYTES && quietTicks < QUIET_TICKS) {
      return true;
    }
    paced = false;
    if (!ended && !held) {
      resume();
    }
    return false;
  }

  /// Moves until nothing is left, `bytes` have been moved or a reader holds. Returns whether nothing is left.
  boolean drain(long bytes) {
    long total = 0;
    while (!ended && total < bytes) {
      long moved = turn();
      if (moved <= 0) {
        return moved == NOTHING || ended;
      }
      total += moved;
    }
    return ended;
  }

  /// The hold may be over.
  void release() {
    if (held && !ended) {
      held = false;
      resume();
      readable();
    }
  }

  /// Gives the stream up: its descriptors are closed, nothing is said to anybody.
  void stop() {
    ended = true;
    if (watch != null) {
      watch.close();
    }
    Hold hold = log.hold;
    if (hold != null) {
      hold.remove(this);
    }
    closeSource();
  }

  void closeSource() {
    switch (source) {
      case OutputSource.Pipe pipe -> Posix.close(pipe.readFd());
      case OutputSource.Terminal terminal -> {
        Posix.close(terminal.masterFd());
        Posix.close(terminal.fifoReadFd());
        Posix.close(terminal.fifoWriteFd());
      }
    }
  }

  private void pause() {
    if (watch != null) {
      watch.pause();
    }
  }

  private void resume() {
    if (watch != null) {
      watch.resume();
    }
  }

  /// Moves once, and does what follows from the result.
  private long turn() {
    long moved;
    try {
      moved =
          switch (source) {
            case OutputSource.Pipe pipe -> move(pipe.readFd());
            case OutputSource.Terminal terminal -> moveTerminal(terminal);
          };
    } catch (RuntimeException | Error failure) {
      fail(failure.toString(), failure);
      return END;
    }
    if (moved > 0 || moved == NOTHING) {
      return moved;
    }
    if (moved == END) {
      end();
    } else if (moved == HELD) {
      held = true;
      pause();
    } else if (moved == -Errno.EINTR) {
      return NOTHING;
    } else if (isShortage(moved)) {
      held = true;
      pause();
      store.loop.schedule(this::release, RETRY);
    } else {
      fail(Errno.describe(moved), null);
    }
    return moved;
  }

  /// Out of something that comes back; the bytes wait in the pipe.
  private static boolean isShortage(long result) {
    return result == -Errno.EMFILE || result == -Errno.ENFILE || result == -Errno.ENOMEM;
  }

  private static boolean isDiskFull(long result) {
    return result == -Errno.ENOSPC || result == -Errno.EDQUOT || result == -Errno.EFBIG;
  }

  private void end() {
    if (ended) {
      return;
    }
    ended = true;
    if (watch != null) {
      watch.close(); // first: somebody else may hold a copy of what is closed next
    }
    closeSource();
    log.ended(stream);
    try {
      source.onDrained().run();
    } catch (RuntimeException failure) {
      LOG.error(
          "process {}: what follows the end of {} failed",
          log.processId(),
          stream.name.text(),
          failure);
    }
  }

  private void fail(String why, @Nullable Throwable cause) {
    LOG.error(
        "process {}: {} is given up at offset {}: {}",
        log.processId(),
        stream.name.text(),
        stream.end,
        why,
        cause);
    store.counters().failedStreams.increment();
    end();
  }

  private long moveTerminal(OutputSource.Terminal terminal) {
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
      switch (store.retention.freeDisk(log, this)) {
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
    if (!store.retention.makeRoom(log, wanted, this)) {
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
}
