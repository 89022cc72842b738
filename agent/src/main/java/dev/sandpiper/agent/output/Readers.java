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

  /// Replaced, never changed.
  private LogCursor[] cursors = NONE;

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

  /// Those who wait, who do not any more: the caller is to wake them.
  List<LogCursor> disarmed() {
    List<LogCursor> waiting = List.of();
    for (LogCursor cursor : cursors) {
      if (cursor.disarm()) {
        if (cursors.length == 1) {
          return List.of(cursor);
        }
        if (waiting.isEmpty()) {
          waiting = new ArrayList<>(cursors.length);
        }
        waiting.add(cursor);
      }
    }
    return waiting;
  }

  /// Outside the monitor.
  static void wake(List<LogCursor> readers) {
    for (LogCursor reader : readers) {
      wake(reader);
    }
  }

  /// A reader whose callback fails is its own trouble, not that of the stream.
  static void wake(LogCursor reader) {
    try {
      reader.wake();
    } catch (RuntimeException failure) {
      LOG.error("a reader's wake-up failed", failure);
    }
  }
}
