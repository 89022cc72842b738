package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;

/// Stands in for a pidfd where the kernel has none (before Linux 5.3, some sandboxes): a pipe that ends when the process
/// does, and one small thread per process that waits for it.
final class ExitPipe {
  private static final long STACK_BYTES = 128 * 1024;

  private ExitPipe() {}

  /// The descriptor that becomes readable when the child has exited, or `-errno`.
  static int open(int pid) {
    int[] pipe = new int[2];
    int error = Posix.pipe2(pipe, Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK);
    if (error < 0) {
      return error;
    }
    Thread.ofPlatform()
        .name("exit-watch-" + pid)
        .daemon()
        .stackSize(STACK_BYTES)
        .start(() -> {
          Tasks.waitid(Tasks.P_PID, pid, Tasks.WEXITED | Tasks.WNOWAIT);
          Posix.close(pipe[1]);
        });
    return pipe[0];
  }
}
