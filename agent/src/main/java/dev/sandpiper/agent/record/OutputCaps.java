package dev.sandpiper.agent.record;

/// What one command may still put into records, over both streams together.
///
/// Bytes are those of `message` as emitted, nothing else: no framing, no line end. One thread emits the lines of both
/// streams, so looking, taking and emitting are one step, and no cap can be passed by a byte or a record.
final class OutputCaps {
  private long bytesLeft;
  private int recordsLeft;
  private boolean reached;

  OutputCaps(long bytes, int records) {
    bytesLeft = bytes;
    recordsLeft = records;
  }

  long bytesLeft() {
    return bytesLeft;
  }

  int recordsLeft() {
    return recordsLeft;
  }

  /// Whether something was dropped. Used up exactly is not reached: nothing is missing then.
  boolean reached() {
    return reached;
  }

  void reach() {
    reached = true;
  }

  /// A line was cut: nothing more may leave but the marker.
  void exhaust() {
    bytesLeft = 0;
    recordsLeft = 0;
  }

  void take(int textBytes) {
    if (recordsLeft == 0 || textBytes > bytesLeft) {
      throw new IllegalStateException(
          "a record of "
              + textBytes
              + " bytes, with "
              + bytesLeft
              + " bytes and "
              + recordsLeft
              + " records left");
    }
    bytesLeft -= textBytes;
    recordsLeft--;
  }
}
