package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// What waitid(2) says about a child that has ended, and what the child used (getrusage(2)).
///
/// `code` is one of {@link #EXITED}, {@link #KILLED} and {@link #DUMPED}; `status` is the exit code or the signal.
/// Where `error` is not zero it is `-errno` and nothing else is set.
public record WaitStatus(
    int error, int pid, int code, int status, long userMicros, long systemMicros, long peakKib) {
  public static final int EXITED = 1;
  public static final int KILLED = 2;
  public static final int DUMPED = 3;

  // siginfo_t on 64-bit Linux (sigaction(2)): signo, errno, code, padding, pid, uid, status.
  static final int SI_PID = 16;
  private static final int SI_CODE = 8;
  private static final int SI_STATUS = 24;

  /// `struct rusage` is written behind `siginfo_t`, which has 128 bytes.
  static final int USAGE_OFFSET = 128;

  static @Nullable WaitStatus read(int result, MemorySegment info) {
    if (result < 0) {
      return new WaitStatus(result, 0, 0, 0, 0, 0, 0);
    }
    int pid = info.get(JAVA_INT, SI_PID);
    if (pid == 0) {
      return null;
    }
    return new WaitStatus(
        0,
        pid,
        info.get(JAVA_INT, SI_CODE),
        info.get(JAVA_INT, SI_STATUS),
        info.get(JAVA_LONG, USAGE_OFFSET) * 1_000_000 + info.get(JAVA_LONG, USAGE_OFFSET + 8),
        info.get(JAVA_LONG, USAGE_OFFSET + 16) * 1_000_000 + info.get(JAVA_LONG, USAGE_OFFSET + 24),
        info.get(JAVA_LONG, USAGE_OFFSET + 32));
  }
}
