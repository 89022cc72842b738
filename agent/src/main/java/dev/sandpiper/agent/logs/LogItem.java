package dev.sandpiper.agent.logs;

/// What a reading brings: an entry, or a gap where entries were.
public sealed interface LogItem permits LogEntry, LogGap {
  /// Its place in the order.
  LogPosition position();

  /// Microseconds since 1970.
  default long timeMicros() {
    return position().timeMicros();
  }
}
