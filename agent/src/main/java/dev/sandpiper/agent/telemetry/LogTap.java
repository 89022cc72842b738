package dev.sandpiper.agent.telemetry;

import org.jspecify.annotations.Nullable;

/// Is handed every line of the agent's own log, besides the queue to standard output.
public interface LogTap {
  /// On the logging thread: it must be quick, and must not log.
  void line(long micros, String level, String logger, String message, @Nullable String stackTrace);
}
