package dev.sandpiper.agent.output;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What goes when there is no room: whole segments, of the oldest finished process first, then the process's own oldest.
///
/// A segment that a reader was promised and has not read is held: whoever needs the room waits for that reader, as long as
/// [Progress] grants it. Readers of finished processes hold nobody, what they read is merely passed over while they make
/// progress. Pipe loop only.
final class Retention {
  enum Outcome {
    DROPPED,
    HELD,
    NOTHING_LEFT
  }

  private final OutputStore store;
  private final OutputSettings settings;
  private final long processBytes;
  private final long totalBytes;

  Retention(OutputStore store, OutputSettings settings, long totalBytes) {
    this.store = store;
    this.settings = settings;
    this.totalBytes = totalBytes;
    this.processBytes = Math.min(settings.retentionBytes(), totalBytes);
  }

  long segmentBytes() {
    return Math.min(processBytes / 8, 1L << 30);
  }

  /// Makes room for `bytes` more of a log. False when a reader holds it: `pump` is called when that may have changed.
  boolean makeRoom(OutputLog log, long bytes, Pump pump) {
    while (log.retained() + bytes > processBytes) {
      Outcome outcome = dropOldest(log, pump);
      if (outcome == Outcome.HELD) {
        return false;
      }
      if (outcome == Outcome.NOTHING_LEFT) {
        break;
      }
    }
    while (store.totalBytes() + bytes > totalBytes) {
      if (evictFinished()) {
        continue;
      }
      // Whoever keeps most gives, so that one that printed little keeps it.
      OutputLog largest = store.largest();
      if (largest == null) {
        break;
      }
      Outcome outcome = dropOldest(largest, pump);
      if (outcome == Outcome.HELD) {
        return false;
      }
      if (outcome == Outcome.NOTHING_LEFT) {
        break;
      }
    }
    return true;
  }

  /// The disk is full: gives one segment back.
  Outcome freeDisk(OutputLog log, Pump pump) {
    return evictFinished() ? Outcome.DROPPED : dropOldest(log, pump);
  }

  /// The same for somebody who is no process. Nobody is held for it.
  Outcome freeDisk(@Nullable OutputLog largest) {
    if (evictFinished()) {
      return Outcome.DROPPED;
    }
    return largest == null ? Outcome.NOTHING_LEFT : dropOldest(largest, null);
  }

  /// Takes one segment of a finished process. False when there is none to take.
  private boolean evictFinished() {
    OutputLog oldest = store.oldestFinishedWithBytes();
    if (oldest == null) {
      return false;
    }
    if (dropOldest(oldest, null) == Outcome.DROPPED) {
      return true;
    }
    // A reader is still at it: the next one, then.
    for (OutputLog finished : store.finishedWithBytes()) {
      if (dropOldest(finished, null) == Outcome.DROPPED) {
        return true;
      }
    }
    return false;
  }

  private Outcome dropOldest(OutputLog log, @Nullable Pump pump) {
    StreamLog stream = log.streamOfOldest();
    Segment oldest = stream == null ? null : stream.oldest();
    if (stream == null || oldest == null) {
      return Outcome.NOTHING_LEFT;
    }
    long now = store.clock.nanoTime();
    long limit = settings.hold() ? settings.stallLimit().toNanos() : 0;
    long patience = Long.MAX_VALUE;
    List<LogCursor> stalled = List.of();
    long end;
    synchronized (log) {
      end = oldest.end();
      for (LogCursor cursor : log.cursors()) {
        if (cursor.needs(stream.name, end)) {
          long left = limit == 0 ? 0 : cursor.patience(now, limit);
          if (left > 0) {
            patience = Math.min(patience, left);
          } else {
            cursor.stall(stream.name);
            if (stalled.isEmpty()) {
              stalled = new ArrayList<>(1);
            }
            stalled.add(cursor);
          }
        }
      }
    }
    store.counters().stalledReaders.add(stalled.size());
    Readers.wake(stalled);
    if (patience != Long.MAX_VALUE) {
      if (pump != null) {
        Hold hold = log.hold;
        if (hold == null) {
          store.counters().holds.increment();
          hold = new Hold(log, store.loop, stream.name, end);
          log.hold = hold;
        }
        hold.add(pump, stream.name, end, patience);
        // A reader may have gone on before it could see the hold.
        if (!stillNeeded(log, stream.name, end)) {
          hold.lookAgain();
        }
      }
      return Outcome.HELD;
    }
    return log.dropOldest() > 0 ? Outcome.DROPPED : Outcome.NOTHING_LEFT;
  }

  private static boolean stillNeeded(OutputLog log, StreamName stream, long end) {
    synchronized (log) {
      for (LogCursor cursor : log.cursors()) {
        if (cursor.needs(stream, end)) {
          return true;
        }
      }
      return false;
    }
  }
}
