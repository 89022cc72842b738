package dev.sandpiper.agent.process;

import dev.sandpiper.agent.launch.Exit;
import dev.sandpiper.agent.launch.Usage;
import dev.sandpiper.agent.output.StreamName;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/// The one true end of a process.
///
/// @param exit how the leader ended
/// @param cause who ended it
/// @param at when the end was established
/// @param stdoutBytes bytes of standard output up to the end
/// @param stderrBytes bytes of standard error up to the end
/// @param ptyBytes bytes of terminal output up to the end
/// @param usage processor time and peak memory, with those of the children it waited for; null where the kernel did not say
public record ProcessEnd(
    Exit exit,
    EndCause cause,
    Instant at,
    long stdoutBytes,
    long stderrBytes,
    long ptyBytes,
    @Nullable Usage usage) {

  /// Bytes of one stream up to the end.
  public long bytes(StreamName stream) {
    return switch (stream) {
      case STDOUT -> stdoutBytes;
      case STDERR -> stderrBytes;
      case PTY -> ptyBytes;
    };
  }

  /// The exit code as E2B's contract (section 3.8) wants it: -1 for a process killed by a signal.
  public int exitCode() {
    return switch (exit) {
      case Exit.Exited(int code) -> code;
      case Exit.Signaled _, Exit.Lost _ -> -1;
    };
  }

  /// Whether the leader returned a code.
  public boolean exited() {
    return exit instanceof Exit.Exited;
  }

  /// The human sentence: `exit status 3`, `signal: killed`, `signal: aborted (core dumped)`.
  public String status() {
    return switch (exit) {
      case Exit.Exited(int code) -> "exit status " + code;
      case Exit.Signaled(int signal, boolean coreDumped) ->
          "signal: " + SignalNames.describe(signal) + (coreDumped ? " (core dumped)" : "");
      case Exit.Lost(String why) -> "exit status unknown: " + why;
    };
  }

  /// Whether it ended as a success, with exit code 0.
  public boolean success() {
    return exit instanceof Exit.Exited(int code) && code == 0;
  }
}
