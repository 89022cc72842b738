package dev.sandpiper.agent.cli;

import dev.sandpiper.proto.v1.Cause;
import dev.sandpiper.proto.v1.End;

/// How processes ended, in words and as exit codes.
final class Ends {
  private Ends() {}

  /// `exit 3`, `SIGKILL (time limit)`, `lost: …`.
  static String words(End end) {
    var how =
        switch (end.getHowCase()) {
          case EXIT_CODE -> "exit " + end.getExitCode();
          case SIGNAL ->
              SignalNumbers.name(end.getSignal()) + (end.getCoreDumped() ? ", core dumped" : "");
          case LOST -> "lost: " + end.getLost();
          case HOW_NOT_SET -> "of a kind that this program does not know";
        };
    return switch (end.getCause()) {
      case CAUSE_TIME_LIMIT -> how + " (time limit)";
      case CAUSE_AGENT_STOP -> how + " (the agent stopped)";
      case CAUSE_EXIT, CAUSE_SIGNAL, CAUSE_LOST, CAUSE_UNSPECIFIED, UNRECOGNIZED -> how;
    };
  }

  /// What a shell would say: the command's own code, 128+N, 124 for a time limit; 125 where nobody knows.
  static int exitCode(End end) {
    if (end.getCause() == Cause.CAUSE_TIME_LIMIT) {
      return ExitCode.TIMEOUT;
    }
    return switch (end.getHowCase()) {
      case EXIT_CODE -> end.getExitCode();
      case SIGNAL -> ExitCode.ofSignal(end.getSignal());
      case LOST, HOW_NOT_SET -> ExitCode.AGENT;
    };
  }
}
