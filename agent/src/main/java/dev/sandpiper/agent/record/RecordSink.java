package dev.sandpiper.agent.record;

import java.nio.ByteBuffer;

/// Where lines go: a descriptor, in the kernel's words.
@FunctionalInterface
public interface RecordSink {
  /// Writes from a direct buffer and moves its position. Returns the number of bytes, or `-errno`; may block.
  long write(ByteBuffer direct);
}
