package dev.sandpiper.agent.output;

import java.util.concurrent.atomic.LongAdder;

/// What happened to all output logs since the start. Read at any time, from any thread.
public final class OutputCounters {
  private final LongAdder[] printedBytes = new LongAdder[StreamName.COUNT];
  final LongAdder writtenBytes = new LongAdder();
  final LongAdder droppedBytes = new LongAdder();
  final LongAdder evictedLogs = new LongAdder();
  final LongAdder holds = new LongAdder();
  final LongAdder stalledReaders = new LongAdder();
  final LongAdder diskFull = new LongAdder();
  final LongAdder failedStreams = new LongAdder();
  private final LongAdder gaps = new LongAdder();
  private final LongAdder gapBytes = new LongAdder();

  OutputCounters() {
    for (int i = 0; i < printedBytes.length; i++) {
      printedBytes[i] = new LongAdder();
    }
  }

  void printed(StreamName stream, long bytes) {
    printedBytes[stream.number].add(bytes);
  }

  void gap(long bytes) {
    gaps.increment();
    gapBytes.add(bytes);
  }

  /// Bytes that processes printed to a stream, kept or not.
  public long printedBytes(StreamName stream) {
    return printedBytes[stream.number].sum();
  }

  /// Times a reader found that bytes it had not read are gone.
  public long gaps() {
    return gaps.sum();
  }

  /// The bytes in those gaps, once for each such reader.
  public long gapBytes() {
    return gapBytes.sum();
  }

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
