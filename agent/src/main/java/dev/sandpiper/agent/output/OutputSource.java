package dev.sandpiper.agent.output;

/// Where the bytes of one stream come from. The log takes the descriptors over: it watches and closes them. All are
/// non-blocking. `onDrained` runs once, on the pipe loop, after every holder has closed the stream, its last byte is in the
/// log, and the descriptors are closed.
public sealed interface OutputSource {
  Runnable onDrained();

  /// The read end of a FIFO or pipe.
  record Pipe(int readFd, Runnable onDrained) implements OutputSource {}

  /// A terminal: bytes go from the master into a FIFO and from there into the log, so that what left the master is never only
  /// in our memory. Bytes that lie in the FIFO when it is handed over come first.
  record Terminal(int masterFd, int fifoReadFd, int fifoWriteFd, Runnable onDrained)
      implements OutputSource {}
}
