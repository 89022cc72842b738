package dev.sandpiper.agent.output;

import java.time.Duration;

/// The one thread that waits for pipes, terminals, pidfds and stdin, and moves their bytes.
///
/// It runs nothing that can wait on a client or on standard output; the file system of the segments is the one thing it may
/// wait for. A task or callback that throws is logged; its watch is closed, and the loop goes on.
public interface PipeLoop extends AutoCloseable {
  /// Whether the caller is on the loop's thread.
  boolean inLoop();

  /// Runs `task` on the loop, later, in the order of the calls. Any thread. Unbounded: callers queue a fixed number of tasks
  /// per process or reader. Once the loop is closed the task is dropped.
  void execute(Runnable task);

  /// Runs `task` on the loop after `delay`. Any thread.
  Cancellable schedule(Runnable task, Duration delay);

  /// Calls `onReadable` on the loop as long as `fd` is readable or its other side has hung up (level semantics: one callback
  /// per turn until it is not). Any thread; `fd` stays the caller's and is non-blocking.
  FdWatch watch(int fd, Runnable onReadable);

  /// The same for a descriptor that can be written to, or whose reader is gone.
  FdWatch watchWritable(int fd, Runnable onWritable);

  /// Ends the thread and waits for it. Watched descriptors stay open.
  @Override
  void close();
}
