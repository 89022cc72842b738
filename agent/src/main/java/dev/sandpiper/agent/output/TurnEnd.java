package dev.sandpiper.agent.output;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/// What is done once per turn of the pipe loop instead of once per piece of output. Pipe loop only.
///
/// Readers of logs that have grown are woken when all pipes of the turn have been looked at, so that a reader's thread
/// wakes once for all of them. The end of a process wakes at once. As a rule it comes some 20 µs after the last of its streams is
/// closed: readers that only learn of that wait up to [#SOON] for it, and wake once for both.
///
/// Where many streams print a little now and then (200 commands with ten lines a second each), every line would be a turn of its
/// own, with two threads to wake. There the loop rests for [#REST_NANOS] at the end of a turn, and the next turn finds several
/// lines. It does so only while [#BUSY_PIECES] a [#WINDOW_NANOS] come from streams that have printed before; a first
/// piece of output does not count, so that many short commands are not slowed down, nor does a stream that is paced. And not
/// after a turn in which more than [#LARGE_BYTES] were moved: somebody streams.
final class TurnEnd {
  static final long REST_NANOS = 4_000_000;

  /// 500 lines a second: less than that, and there would be hardly two to a rest.
  static final int BUSY_PIECES = 20;

  static final long WINDOW_NANOS = 40_000_000;
  static final int LARGE_BYTES = 64 * 1024;
  static final Duration SOON = Duration.ofMillis(1);

  private final PipeLoop loop;
  private final Clock clock;
  private final LongConsumer rest;
  private final Runnable end = this::end;
  private final Runnable wakeAll = this::wakeAll;

  /// Bounded: a reader is in it once, as it does not wait any more.
  private List<Readers.Waiting> waiting = new ArrayList<>();

  private boolean due;

  /// Wakes those who wait for no more than that a log is drained.
  private @Nullable Cancellable soon;

  private long moved;
  private int pieces;
  private long windowBegan;
  private boolean busy;

  TurnEnd(PipeLoop loop, Clock clock, LongConsumer rest) {
    this.loop = loop;
    this.clock = clock;
    this.rest = rest;
    this.windowBegan = clock.nanoTime();
  }

  /// A log grew by `bytes`; these readers are to be woken.
  void grew(List<Readers.Waiting> readers, long bytes) {
    moved += bytes;
    if (busy) {
      comeBack(); // to rest, also when nobody reads
    }
    if (!readers.isEmpty()) {
      waiting.addAll(readers);
      comeBack();
    }
  }

  /// These readers are to be woken, but not for this alone: the end of the process may be near.
  void wakeSoon(List<Readers.Waiting> readers) {
    if (!readers.isEmpty()) {
      waiting.addAll(readers);
      if (soon == null) {
        soon = loop.schedule(wakeAll, SOON);
      }
    }
  }

  /// The end of a process has come: nobody who waits for it waits for the rest of the turn.
  void wakeNow(List<Readers.Waiting> readers) {
    waiting.addAll(readers);
    wakeAll();
  }

  private void comeBack() {
    if (!due) {
      due = true;
      loop.execute(end);
    }
  }

  /// A small piece of a stream that has printed before.
  void piece(long now) {
    pieces++;
    long elapsed = now - windowBegan;
    if (elapsed >= WINDOW_NANOS) {
      // Counted over what has passed: after a quiet time one piece is not many.
      busy = pieces * WINDOW_NANOS / elapsed >= BUSY_PIECES;
      pieces = 0;
      windowBegan = now;
    }
  }

  private void wakeAll() {
    if (soon != null) {
      soon.cancel();
      soon = null;
    }
    if (!waiting.isEmpty()) {
      List<Readers.Waiting> woken = waiting;
      waiting = new ArrayList<>();
      Readers.wake(woken);
    }
  }

  private void end() {
    due = false;
    wakeAll();
    long bytes = moved;
    moved = 0;
    if (busy && bytes < LARGE_BYTES) {
      if (clock.nanoTime() - windowBegan > 2 * WINDOW_NANOS) {
        busy = false;
      } else {
        rest.accept(REST_NANOS);
      }
    }
  }
}
