package dev.sandpiper.agent.cli;

import java.util.List;

/// The exit codes that are not the command's own; those of `run` are the ones of `env`, `timeout` and the shells.
final class ExitCode {
  static final int OK = 0;

  /// What was asked for was not done, or not for all: no such process, a process that ended before, one that survived.
  static final int FAILED = 1;

  /// The arguments or the settings were wrong; nothing was started.
  static final int USAGE = 2;

  /// The time limit elapsed.
  static final int TIMEOUT = 124;

  /// The command was not run, or its end is not known: no agent, an answer that makes no sense, a lost connection.
  static final int AGENT = 125;

  /// The command was found but cannot be executed.
  static final int NOT_EXECUTABLE = 126;

  static final int NOT_FOUND = 127;

  private static final int SIGNALED = 128;

  static final int BROKEN_PIPE = SIGNALED + 13;

  // What Linux calls the signals that end a process, at their numbers from 1; empty for those that
  // do not end one.
  private static final List<String> SIGNALS =
      List.of(
          "hangup",
          "interrupt",
          "quit",
          "illegal instruction",
          "trace/breakpoint trap",
          "aborted",
          "bus error",
          "floating point exception",
          "killed",
          "user defined signal 1",
          "segmentation fault",
          "user defined signal 2",
          "broken pipe",
          "alarm clock",
          "terminated",
          "stack fault",
          "",
          "",
          "",
          "",
          "",
          "",
          "",
          "CPU time limit exceeded",
          "file size limit exceeded",
          "virtual timer expired",
          "profiling timer expired",
          "",
          "I/O possible",
          "power failure",
          "bad system call");

  private ExitCode() {}

  static int ofSignal(int signal) {
    return SIGNALED + signal;
  }

  /// The code for the status of a process that a signal ended, such as `signal: killed (core dumped)` or
  /// `signal: signal 34`; `AGENT` for any other status.
  static int ofStatus(String status) {
    if (!status.startsWith("signal: ")) {
      return AGENT;
    }
    var name = status.substring("signal: ".length()).replace(" (core dumped)", "");
    var number = SIGNALS.indexOf(name) + 1;
    if (number > 0 && !name.isEmpty()) {
      return ofSignal(number);
    }
    try {
      return ofSignal(Integer.parseInt(name.replace("signal ", "")));
    } catch (NumberFormatException _) {
      return AGENT;
    }
  }
}
