package dev.sandpiper.agent.output;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The readers of one log. Guarded by the log's monitor, except for [#wake], which belongs outside of it.
final class Readers {
  private static final Logger LOG = LoggerFactory.getLogger(Readers.class);
  private static final LogCursor[] NONE = {};

  private static final LogWatch[] NO_WATCHES = {};

  /// Somebody who can be waiting for the log to grow.
  interface Waiting {
    /// Under the log's monitor: whether it waited. It does not any more.
    boolean disarm();

    /// Outside the monitor.
    void wake();
  }

  /// Replaced, never changed.
  private LogCursor[] cursors = NONE;

  private LogWatch[] watches = NO_WATCHES;

  LogCursor[] all() {
    return cursors;
  }

  void add(LogCursor cursor) {
    cursors = Arrays.copyOf(cursors, cursors.length + 1);
    cursors[cursors.length - 1] = cursor;
  }

  void remove(LogCursor cursor) {
    List<LogCursor> left = new ArrayList<>(List.of(cursors));
    left.remove(cursor);
    cursors = left.isEmpty() ? NONE : left.toArray(NONE);
  }

  void add(LogWatch watch) {
    watches = Arrays.copyOf(watches, watches.length + 1);
    watches[watches.length - 1] = watch;
  }

  void remove(LogWatch watch) {
    List<LogWatch> left = new ArrayList<>(List.of(watches));
    left.remove(watch);
    watches = left.isEmpty() ? NO_WATCHES : left.toArray(NO_WATCHES);
  }

  /// Those who wait, who do not any more: the caller is to wake them.
  List<Waiting> disarmed() {
    if (cursors.length == 1 && watches.length == 0) {
      return cursors[0].disarm() ? List.of(cursors[0]) : List.of();
    }
    List<Waiting> waiting = new ArrayList<>(0);
    for (LogCursor cursor : cursors) {
      if (cursor.disarm()) {
        waiting.add(cursor);
      }
    }
    for (LogWatch watch : watches) {
      if (watch.disarm()) {
        waiting.add(watch);
      }
    }
    return waiting;
  }

  /// Outside the monitor.
  static void wake(List<? extends Waiting> readers) {
    for (Waiting reader : readers) {
      wake(reader);
    }
  }

  /// A reader whose callback fails is its own trouble, not that of the stream.
  static void wake(Waiting reader) {
    try {
      reader.wake();
    } catch (RuntimeException failure) {
      LOG.error("a reader's wake-up failed", failure);
    }
  }
}
