package dev.sandpiper.agent.logs;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.nio.ByteBuffer;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// The threads that readings work on: two, started when they are needed and gone when they were not for a while. Readings take
/// turns of a few milliseconds on them, so many share them and none holds one while it waits.
///
/// The queue's bound is the number of readings: each has one turn in it at most, and one that is to come later.
final class Turns {
  private static final int THREADS = 2;
  private static final long KEEP_SECONDS = 10;

  /// One per thread; readers of it are on that thread.
  private final ThreadLocal<ByteBuffer> buffers =
      ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(Work.BUFFER_BYTES));

  private final AtomicInteger numbers = new AtomicInteger();

  @GuardedBy("this")
  private @Nullable ScheduledThreadPoolExecutor executor;

  @GuardedBy("this")
  private boolean closed;

  private synchronized @Nullable ScheduledThreadPoolExecutor executor() {
    if (executor == null && !closed) {
      executor =
          new ScheduledThreadPoolExecutor(
              THREADS,
              task ->
                  Thread.ofPlatform()
                      .name("logs-" + numbers.incrementAndGet())
                      .daemon()
                      .unstarted(task));
      executor.setKeepAliveTime(KEEP_SECONDS, TimeUnit.SECONDS);
      executor.allowCoreThreadTimeOut(true);
      executor.setRemoveOnCancelPolicy(true);
    }
    return executor;
  }

  /// Runs a turn soon. False when there will be none any more.
  boolean run(Runnable turn) {
    ScheduledThreadPoolExecutor threads = executor();
    return threads != null && accepted(() -> threads.execute(turn));
  }

  boolean runIn(long micros, Runnable turn) {
    ScheduledThreadPoolExecutor threads = executor();
    return threads != null
        && accepted(() -> {
          var _ = threads.schedule(turn, micros, TimeUnit.MICROSECONDS);
        });
  }

  private static boolean accepted(Runnable handOver) {
    try {
      handOver.run();
      return true;
    } catch (RejectedExecutionException _) {
      return false; // Closed: the caller ends its reading.
    }
  }

  /// The buffer of this thread.
  ByteBuffer buffer() {
    return buffers.get();
  }

  synchronized void close() {
    closed = true;
    if (executor != null) {
      executor.shutdownNow();
    }
  }
}
