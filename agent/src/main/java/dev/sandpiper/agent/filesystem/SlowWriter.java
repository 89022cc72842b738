package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.filesystem.FileFailure.Kind;
import dev.sandpiper.agent.posix.Errno;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/// Waits for the reader of a FIFO, or a device, that takes nothing at the moment. Holds its thread, for a bounded time:
/// [FileWork] replaces one that is held.
final class SlowWriter {
  private static final Duration LIMIT = Duration.ofSeconds(5);
  private static final Duration STEP = Duration.ofMillis(2);

  private SlowWriter() {}

  /// Waits a moment.
  ///
  /// @param since what this answered the last time, 0 where something has been written since
  static long await(long since, String path) throws FileFailure {
    long now = System.nanoTime();
    long began = since == 0 ? now : since;
    if (now - began > LIMIT.toNanos()) {
      throw new FileFailure(
          Kind.BUSY,
          Errno.EAGAIN,
          "error writing file: " + path + " has taken nothing for " + LIMIT.toSeconds() + " s");
    }
    LockSupport.parkNanos(STEP.toNanos());
    return began;
  }
}
