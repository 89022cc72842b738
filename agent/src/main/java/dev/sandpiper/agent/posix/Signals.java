package dev.sandpiper.agent.posix;

/// Signal numbers (signal(7)) of x86-64 and aarch64 Linux, where they are the same.
public final class Signals {
  public static final int SIGHUP = 1;
  public static final int SIGINT = 2;
  public static final int SIGQUIT = 3;
  public static final int SIGILL = 4;
  public static final int SIGTRAP = 5;
  public static final int SIGABRT = 6;
  public static final int SIGBUS = 7;
  public static final int SIGFPE = 8;
  public static final int SIGKILL = 9;
  public static final int SIGUSR1 = 10;
  public static final int SIGSEGV = 11;
  public static final int SIGUSR2 = 12;
  public static final int SIGPIPE = 13;
  public static final int SIGALRM = 14;
  public static final int SIGTERM = 15;
  public static final int SIGSTKFLT = 16;
  public static final int SIGCHLD = 17;
  public static final int SIGCONT = 18;
  public static final int SIGSTOP = 19;
  public static final int SIGTSTP = 20;
  public static final int SIGTTIN = 21;
  public static final int SIGTTOU = 22;
  public static final int SIGURG = 23;
  public static final int SIGXCPU = 24;
  public static final int SIGXFSZ = 25;
  public static final int SIGVTALRM = 26;
  public static final int SIGPROF = 27;
  public static final int SIGWINCH = 28;
  public static final int SIGIO = 29;
  public static final int SIGPWR = 30;
  public static final int SIGSYS = 31;

  /// The highest number the kernel knows (`SIGRTMAX`).
  public static final int MAX = 64;

  private Signals() {}

  /// The symbolic name, such as `SIGTERM`; `signal 34` for real-time signals and unknown numbers.
  public static String name(int signal) {
    return switch (signal) {
      case SIGHUP -> "SIGHUP";
      case SIGINT -> "SIGINT";
      case SIGQUIT -> "SIGQUIT";
      case SIGILL -> "SIGILL";
      case SIGTRAP -> "SIGTRAP";
      case SIGABRT -> "SIGABRT";
      case SIGBUS -> "SIGBUS";
      case SIGFPE -> "SIGFPE";
      case SIGKILL -> "SIGKILL";
      case SIGUSR1 -> "SIGUSR1";
      case SIGSEGV -> "SIGSEGV";
      case SIGUSR2 -> "SIGUSR2";
      case SIGPIPE -> "SIGPIPE";
      case SIGALRM -> "SIGALRM";
      case SIGTERM -> "SIGTERM";
      case SIGSTKFLT -> "SIGSTKFLT";
      case SIGCHLD -> "SIGCHLD";
      case SIGCONT -> "SIGCONT";
      case SIGSTOP -> "SIGSTOP";
      case SIGTSTP -> "SIGTSTP";
      case SIGTTIN -> "SIGTTIN";
      case SIGTTOU -> "SIGTTOU";
      case SIGURG -> "SIGURG";
      case SIGXCPU -> "SIGXCPU";
      case SIGXFSZ -> "SIGXFSZ";
      case SIGVTALRM -> "SIGVTALRM";
      case SIGPROF -> "SIGPROF";
      case SIGWINCH -> "SIGWINCH";
      case SIGIO -> "SIGIO";
      case SIGPWR -> "SIGPWR";
      case SIGSYS -> "SIGSYS";
      default -> "signal " + signal;
    };
  }
}
