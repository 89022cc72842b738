package dev.sandpiper.agent.record;

import dev.sandpiper.agent.posix.Posix;
import java.nio.ByteBuffer;

/// Where lines go: a descriptor, in the kernel's words.
@FunctionalInterface
public interface RecordSink {
  /// Writes from a direct buffer and moves its position. Returns the number of bytes, or `-errno`; may block. The JVM
  /// takes SIGPIPE, so a reader that is gone is `-EPIPE`.
  long write(ByteBuffer direct);

  /// An open descriptor, as it is: its mode is shared with others (a shell, a terminal) and not changed.
  static RecordSink descriptor(int fd) {
    return direct -> Posix.write(fd, direct);
  }
}
