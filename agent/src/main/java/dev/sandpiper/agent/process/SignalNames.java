package dev.sandpiper.agent.process;

/// The words for signals that E2B's clients show and compare (contract, section 3.8).
final class SignalNames {
  private SignalNames() {}

  static String describe(int signal) {
    return switch (signal) {
      case 1 -> "hangup";
      case 2 -> "interrupt";
      case 3 -> "quit";
      case 4 -> "illegal instruction";
      case 5 -> "trace/breakpoint trap";
      case 6 -> "aborted";
      case 7 -> "bus error";
      case 8 -> "floating point exception";
      case 9 -> "killed";
      case 10 -> "user defined signal 1";
      case 11 -> "segmentation fault";
      case 12 -> "user defined signal 2";
      case 13 -> "broken pipe";
      case 14 -> "alarm clock";
      case 15 -> "terminated";
      case 16 -> "stack fault";
      case 24 -> "CPU time limit exceeded";
      case 25 -> "file size limit exceeded";
      case 26 -> "virtual timer expired";
      case 27 -> "profiling timer expired";
      case 29 -> "I/O possible";
      case 30 -> "power failure";
      case 31 -> "bad system call";
      default -> "signal " + signal;
    };
  }
}
