package dev.sandpiper.agent.launch;

/// The descriptors that a child's output comes from. Whoever takes them from {@link Child#output} owns and closes them,
/// and removes them from epoll before that.
public sealed interface ChildOutput {
  /// Two non-blocking read ends, end of file when every holder has closed the write end.
  record Pipes(int stdoutFd, int stderrFd) implements ChildOutput {}

  /// A non-blocking master, and an empty FIFO of the agent's own (both ends non-blocking) that carries what is spliced
  /// from the master towards the log. All three belong to the taker; the child never sees the FIFO. The master reads
  /// `EIO` when every holder of the slave has closed it; after that nobody writes to the FIFO any more, so the taker
  /// closes the write end and reads the FIFO to its end. {@link Child#inputFd} is a duplicate of the master that the
  /// child object closes itself; the terminal hangs up when both are closed.
  record Terminal(int masterFd, int fifoReadFd, int fifoWriteFd) implements ChildOutput {}
}
