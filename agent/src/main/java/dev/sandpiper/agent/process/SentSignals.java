package dev.sandpiper.agent.process;

import com.google.errorprone.annotations.concurrent.GuardedBy;

/// Who sent which signal first, so that the one that ended a process has an author. A signal that nobody here sent came from
/// elsewhere, whatever else was sent.
final class SentSignals {
  @GuardedBy("this")
  private long byClients;

  @GuardedBy("this")
  private long byTimeLimit;

  @GuardedBy("this")
  private long byAgent;

  synchronized void sending(int signal, EndCause author) {
    long bit = bit(signal);
    if (((byClients | byTimeLimit | byAgent) & bit) != 0) {
      return;
    }
    switch (author) {
      case SIGNAL -> byClients |= bit;
      case TIME_LIMIT -> byTimeLimit |= bit;
      case AGENT_STOP -> byAgent |= bit;
      case EXIT, LOST -> throw new IllegalArgumentException(author + " sends no signals");
    }
  }

  synchronized EndCause causeOf(int signal) {
    long bit = bit(signal);
    if ((byClients & bit) != 0) {
      return EndCause.SIGNAL;
    }
    if ((byTimeLimit & bit) != 0) {
      return EndCause.TIME_LIMIT;
    }
    return (byAgent & bit) != 0 ? EndCause.AGENT_STOP : EndCause.EXIT;
  }

  /// Signals are 1 to 64; anything else has no bit, and 0 is no signal.
  private static long bit(int signal) {
    return signal < 1 || signal > Long.SIZE ? 0 : 1L << (signal - 1);
  }
}
