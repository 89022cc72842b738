package dev.sandpiper.agent.record;

import dev.sandpiper.agent.posix.Fcntl;
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

  /// Standard output as this agent was given it: descriptor 3 where the launcher has moved it there, out of reach of
  /// what the JVM prints by itself; else descriptor 1.
  static RecordSink standardOutput() {
    // The launcher closes 3 or makes it writable; without launcher the JVM has its own files there,
    // to read.
    int flags = Posix.fcntl(3, Fcntl.F_GETFL, 0);
    boolean moved = flags >= 0 && (flags & (Fcntl.O_WRONLY | Fcntl.O_RDWR)) != 0;
    return descriptor(moved ? 3 : 1);
  }
}
