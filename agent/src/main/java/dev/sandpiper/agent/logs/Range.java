package dev.sandpiper.agent.logs;

import org.jspecify.annotations.Nullable;

/// The part of the order that a pass goes through.
///
/// @param from null for the beginning
/// @param fromIncluded whether the entry at `from` belongs to it
/// @param before entries at this position and later do not belong to it; null for the end
/// @param startMicros nor those before this time
/// @param endMicros nor those from this time on
record Range(
    @Nullable LogPosition from,
    boolean fromIncluded,
    @Nullable LogPosition before,
    long startMicros,
    long endMicros) {
  /// What is not before this time is the only thing to look at.
  long lowMicros() {
    return from == null ? startMicros : Math.max(startMicros, from.timeMicros());
  }

  /// What is before this time is the only thing to look at.
  long highMicros() {
    return before == null || before.timeMicros() == Long.MAX_VALUE
        ? endMicros
        : Math.min(endMicros, before.timeMicros() + 1);
  }

  boolean isBelow(LogPosition position) {
    if (position.timeMicros() < startMicros) {
      return true;
    }
    if (from == null) {
      return false;
    }
    int compared = position.compareTo(from);
    return compared < 0 || (compared == 0 && !fromIncluded);
  }

  boolean isAbove(LogPosition position) {
    return position.timeMicros() >= endMicros
        || (before != null && position.compareTo(before) >= 0);
  }

  boolean contains(LogPosition position) {
    return !isBelow(position) && !isAbove(position);
  }
}
