package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.posix.BootClock;
import java.util.function.IntToLongFunction;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// When a child was started, without asking `/proc`, which takes three system calls and some 12 µs a start: where the clock showed the same tick
/// before and after the spawn, that tick is its start time. A spawn takes a hundredth of a tick.
///
/// Whether this kernel means the same clock is tried with the first child; where it does not, `/proc` is asked each time.
/// Thread-safe.
final class StartTimes {
  private enum Clock {
    UNTRIED,
    RIGHT,
    OTHER
  }

  private final LongSupplier ticks;
  private final IntToLongFunction asked;
  private volatile Clock clock = Clock.UNTRIED;

  StartTimes() {
    this(BootClock::ticks, ProcStat::startTicks);
  }

  /// @param ticks of the clock; 0 when unknown
  /// @param asked what the kernel says of a pid; 0 when it says nothing
  StartTimes(LongSupplier ticks, IntToLongFunction asked) {
    this.ticks = ticks;
    this.asked = asked;
  }

  long now() {
    return clock == Clock.OTHER ? 0 : ticks.getAsLong();
  }

  /// The identity of a child that was spawned since `before`, which [#now] had answered; null where it is to be asked for.
  @Nullable ProcessIdentity identity(int pid, long before) {
    if (before == 0 || clock == Clock.OTHER || before != ticks.getAsLong()) {
      return null;
    }
    if (clock == Clock.UNTRIED) {
      long known = asked.applyAsLong(pid);
      if (known == 0) {
        return null;
      }
      clock = known == before ? Clock.RIGHT : Clock.OTHER;
      return known == before ? new ProcessIdentity(pid, known, ProcStat.bootId()) : null;
    }
    return new ProcessIdentity(pid, before, ProcStat.bootId());
  }
}
