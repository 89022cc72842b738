package dev.sandpiper.agent.output;

import java.nio.channels.FileChannel;

/// A segment file held open, so that its bytes can be sent after the cursor has moved on and even after retention has removed
/// the file. Thread-safe.
public interface SegmentRef {
  /// The file, for reading at explicit positions only. Shared by all readers: nobody closes it. Not for threads that may be
  /// interrupted, as an interrupt inside a call would close it for everybody.
  FileChannel file();

  /// Lets the segment go. Called exactly once.
  void release();
}
