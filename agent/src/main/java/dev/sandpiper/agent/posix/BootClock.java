package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;

/// The clock of process start times: `CLOCK_BOOTTIME` of clock_gettime(2), in the ticks of `/proc/PID/stat`.
public final class BootClock {
  private static final int CLOCK_BOOTTIME = 7;

  /// Field 22 of proc_pid_stat(5) counts hundredths of a second on every architecture with glibc that is built for here.
  private static final long NANOS_PER_TICK = 10_000_000;

  private static final long TICKS_PER_SECOND = 100;

  private static final class Library {
    static final MemorySegment CLOCK_GETTIME =
        Kernel.function("clock_gettime")
            .orElseThrow(
                () -> new UnsupportedOperationException("the C library has no clock_gettime(3)"));

    private Library() {}
  }

  private BootClock() {}

  /// Ticks since the machine was started; 0 where the kernel does not tell. Asks no kernel where its clock is mapped.
  public static long ticks() {
    Scratch scratch = Scratch.mine();
    MemorySegment time = scratch.struct;
    int error =
        Kernel.function(Library.CLOCK_GETTIME, scratch, CLOCK_BOOTTIME, time.address(), 0, 0, 0, 0);
    return error != 0
        ? 0
        : time.get(JAVA_LONG, 0) * TICKS_PER_SECOND + time.get(JAVA_LONG, 8) / NANOS_PER_TICK;
  }
}
