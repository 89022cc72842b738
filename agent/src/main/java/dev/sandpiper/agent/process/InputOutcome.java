package dev.sandpiper.agent.process;

/// What became of one write to a process's input.
public sealed interface InputOutcome {
  /// The kernel took every byte.
  record Accepted() implements InputOutcome {}

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
