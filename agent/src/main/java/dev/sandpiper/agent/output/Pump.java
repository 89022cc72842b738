package dev.sandpiper.agent.output;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Posix;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Looks after the source of one stream until it ends: when to move bytes ([Mover]), and what follows from it. Pipe loop only.
///
/// A pipe is in one of four ways:
///
/// | Way | Means |
/// |---|---|
/// | watched | epoll tells when there is something; at most 256 KiB are moved a time, so that nobody waits long |
/// | paced | small pieces in quick succession: the [Pacer] asks every millisecond |
/// | held | there is no room as long as a reader does not go on ([Hold]); nobody looks at the pipe |
/// | ended | every holder has closed it; removed from epoll first, closed then |
final class Pump {
  private static final Logger LOG = LoggerFactory.getLogger(Pump.class);

  /// Pieces smaller than this, closer together than that, are paced.
  private static final int SMALL_BYTES = 16 * 1024;

  private static final long CLOSE_NANOS = 2_000_000;

  /// Half a pipe within a millisecond: pacing would slow its writer down, so it is left alone for a while.
  private static final int FAST_BYTES = Mover.SPLICE_BYTES / 2;

  private static final long FAST_NANOS = 20_000_000;

  /// Milliseconds without a byte after which epoll watches again.
  private static final int QUIET_TICKS = 4;

  private static final Duration RETRY = Duration.ofMillis(100);
  private final OutputLog log;
  private final StreamLog stream;
  private final OutputSource source;
  private final OutputStore store;
  private final Mover mover;
  private @Nullable FdWatch watch;
  private boolean paced;
  private boolean held;
  private boolean ended;

  /// It has printed before.
  private boolean printed;

  private int quietTicks;
  private long lastMove;
  private long fastUntil;

  Pump(OutputLog log, StreamLog stream, OutputSource source) {
    this.log = log;
    this.stream = stream;
    this.source = source;
    this.store = log.store;
    this.mover = new Mover(log, stream, this);
    this.lastMove = store.clock.nanoTime() - CLOSE_NANOS;
    this.fastUntil = lastMove;
  }

  void start() {
    switch (source) {
      case OutputSource.Pipe pipe -> watch = store.loop.watch(pipe.readFd(), this::readable);
      case OutputSource.Terminal terminal -> {
        watch = store.loop.watch(terminal.masterFd(), this::readable);
        drain(OutputLog.DRAIN_BYTES); // what lay in the FIFO already wakes nobody
      }
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
      } else if (moved < SMALL_BYTES && printed) {
        store.turnEnd.piece(now);
      }
      printed = true;
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
        return moved == Mover.NOTHING || ended;
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
      moved = mover.move(source);
    } catch (RuntimeException | Error failure) {
      fail(failure.toString(), failure);
      return Mover.END;
    }
    if (moved > 0 || moved == Mover.NOTHING) {
      return moved;
    }
    if (moved == Mover.END) {
      end();
    } else if (moved == Mover.HELD) {
      held = true;
      pause();
    } else if (moved == -Errno.EINTR) {
      return Mover.NOTHING;
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
}
