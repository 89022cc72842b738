package dev.sandpiper.agent.output;

import java.util.concurrent.atomic.LongAdder;

/// What happened to all output logs since the start. Read at any time, from any thread.
public final class OutputCounters {
  final LongAdder writtenBytes = new LongAdder();
  final LongAdder droppedBytes = new LongAdder();
  final LongAdder evictedLogs = new LongAdder();
  final LongAdder holds = new LongAdder();
  final LongAdder stalledReaders = new LongAdder();
  final LongAdder diskFull = new LongAdder();
  final LongAdder failedStreams = new LongAdder();

  /// Bytes that went into segments.
  public long writtenBytes() {
    return writtenBytes.sum();
  }

  /// Bytes that retention, eviction or a full disk removed, read or not.
  public long droppedBytes() {
    return droppedBytes.sum();
  }

  /// Logs of finished processes that were removed as a whole.
  public long evictedLogs() {
    return evictedLogs.sum();
  }

  /// Times a reader held a command back.
  public long holds() {
    return holds.sum();
  }

  /// Readers that were ended by the stall rule.
  public long stalledReaders() {
    return stalledReaders.sum();
  }

  /// Times the file system of the segments had no room.
  public long diskFull() {
    return diskFull.sum();
  }

  /// Streams that were given up after an error that nobody expected.
  public long failedStreams() {
    return failedStreams.sum();
  }
}
