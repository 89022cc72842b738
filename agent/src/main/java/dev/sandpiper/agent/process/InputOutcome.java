package dev.sandpiper.agent.process;

/// What became of one write to a process's input.
public sealed interface InputOutcome {
  /// The kernel took every byte, now or before, and the end of the input, if the write had it.
  ///
  /// @param offset how much input it has taken by now
  /// @param ended whether the input has ended there
  record Accepted(long offset, boolean ended) implements InputOutcome {}

  /// The write begins behind what was written: bytes are missing in between. Nothing of it was taken.
  ///
  /// @param offset where it begins
  /// @param acceptedOffset how much input the kernel has taken
  record Hole(long offset, long acceptedOffset) implements InputOutcome {}

  /// The input has its end elsewhere than this write says, or ended before it. Nothing of it was taken.
  ///
  /// @param endOffset where the input ends, or would have to, as more was written
  record EndsElsewhere(long endOffset) implements InputOutcome {}

  /// Whether the process got these bytes before the agent was restarted is not known. Nothing of the write was taken.
  record InDoubt(long from, long to) implements InputOutcome {}

  /// Input is not enabled, or was closed, before a byte of this write was taken.
  record Closed() implements InputOutcome {}

  /// The process no longer reads (EPIPE, EIO) or the write failed otherwise.
  ///
  /// @param acceptedBytes bytes of this write that the kernel had taken
  /// @param error what the kernel said
  record Failed(int acceptedBytes, String error) implements InputOutcome {}

  /// The process took nothing for a whole stall limit; the rest of this write was dropped.
  ///
  /// @param acceptedBytes bytes of this write that the kernel had taken
  /// @param totalBytes size of the write
  record Stalled(int acceptedBytes, int totalBytes) implements InputOutcome {}

  /// The queue is full; nothing of this write was taken.
  ///
  /// @param queuedBytes bytes that are waiting
  /// @param limitBytes the queue's bound
  record QueueFull(long queuedBytes, long limitBytes) implements InputOutcome {}
}
