package dev.sandpiper.agent.output;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// The readers of one log. Guarded by the log's monitor, except for [#wake], which belongs outside of it.
final class Readers {
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

  static void wake(List<LogCursor> readers) {
    for (LogCursor reader : readers) {
      reader.wake();
    }
  }
}
