package dev.sandpiper.agent.output;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// A log whose readers hold processes back: its oldest segment would have to go, and somebody who was promised it has not read
/// it. The held streams are looked at again when the last such reader has read it or is gone, and when the first one's patience is over.
///
/// On the pipe loop, except where said.
final class Hold {
  private final OutputLog log;
  private final PipeLoop loop;
  private final AtomicBoolean looking = new AtomicBoolean();

  /// What is to go. Read by readers.
  private volatile StreamName stream;

  private volatile long end;
  private List<Pump> pumps = new ArrayList<>(2);
  private @Nullable Cancellable timer;

  Hold(OutputLog log, PipeLoop loop, StreamName stream, long end) {
    this.log = log;
    this.loop = loop;
    this.stream = stream;
    this.end = end;
  }

  void add(Pump pump, StreamName wanted, long wantedEnd, long patienceNanos) {
    stream = wanted;
    end = wantedEnd;
    if (!pumps.contains(pump)) {
      pumps.add(pump);
    }
    if (timer != null) {
      timer.cancel();
    }
    timer = loop.schedule(this::look, Duration.ofNanos(patienceNanos));
  }

  void remove(Pump pump) {
    pumps.remove(pump);
  }

  /// A reader has read this far. Any thread.
  void readerAt(StreamName name, long offset) {
    if (name == stream && offset >= end) {
      lookAgain();
    }
  }

  /// Any thread; many calls make one look.
  void lookAgain() {
    if (looking.compareAndSet(false, true)) {
      loop.execute(this::look);
    }
  }

  private void look() {
    looking.set(false);
    if (timer != null) {
      timer.cancel();
      timer = null;
    }
    List<Pump> held = pumps;
    pumps = new ArrayList<>(2);
    for (Pump pump : held) {
      pump.release();
    }
    if (pumps.isEmpty() && log.hold == this) {
      log.hold = null;
      synchronized (log) {
        for (LogCursor cursor : log.cursors()) {
          cursor.released();
        }
      }
    }
  }
}
