package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.StreamName;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// One process, as far as its logs are concerned. Any thread.
interface LoggedProcess {
  /// How it ended.
  ///
  /// @param micros when
  /// @param stdoutBytes printed until then, and so on
  record Ended(long micros, long stdoutBytes, long stderrBytes, long ptyBytes) {
    long bytes(StreamName stream) {
      return switch (stream) {
        case STDOUT -> stdoutBytes;
        case STDERR -> stderrBytes;
        case PTY -> ptyBytes;
      };
    }
  }

  String processId();

  int pid();

  @Nullable String tag();

  long startedMicros();

  /// Of its `process_start`.
  Map<String, String> startFields();

  /// Of its `process_end`; empty until it has ended.
  Map<String, String> endFields();

  OutputLog log();

  /// Null until it has ended. Known before any byte that was printed after the end is in the log.
  @Nullable Ended ended();

  /// When something of it happened last; [Long#MAX_VALUE] while something may.
  default long lastMicros() {
    Ended end = ended();
    if (end == null || !log().drained()) {
      return Long.MAX_VALUE;
    }
    return Math.max(Math.max(end.micros(), log().lastMicros()), startedMicros());
  }
}
