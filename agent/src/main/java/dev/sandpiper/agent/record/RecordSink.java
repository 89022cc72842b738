package dev.sandpiper.agent.record;

import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.PageCache;
import dev.sandpiper.agent.posix.Posix;
import java.nio.ByteBuffer;

/// Where lines go: a descriptor, in the kernel's words.
@FunctionalInterface
public interface RecordSink {
  /// Writes from a direct buffer and moves its position. Returns the number of bytes, or `-errno`; may block. The JVM
  /// takes SIGPIPE, so a reader that is gone is `-EPIPE`.
  long write(ByteBuffer direct);

  /// How much a write takes without waiting half-way, as far as that is known; everything where it is not.
  default int room() {
    return Integer.MAX_VALUE;
  }

  /// [#room] when everything was read.
  default int mostRoom() {
    return Integer.MAX_VALUE;
  }

  /// An open descriptor, as it is: its mode is shared with others (a shell, a terminal) and not changed.
  static RecordSink descriptor(int fd) {
    return new Descriptor(fd);
  }

  /// A descriptor. Of a pipe it knows the room.
  final class Descriptor implements RecordSink {
    private static final int UNKNOWN = -1;

    private final int fd;
    private int pipeBytes = UNKNOWN;

    private Descriptor(int fd) {
      this.fd = fd;
    }

    @Override
    public long write(ByteBuffer direct) {
      return Posix.write(fd, direct);
    }

    @Override
    public int room() {
      int size = mostRoom();
      if (size == Integer.MAX_VALUE) {
        return size;
      }
      int unread = Posix.unread(fd);
      if (unread <= 0) {
        return unread == 0 ? size : Integer.MAX_VALUE;
      }
      // A pipe holds pages. What is written at a time begins a new one unless it fits into the
      // last, so
      // a page may be little more than half full; the first and the last may be nearly empty.
      int page = PageCache.pageBytes();
      int pages = size / page - 2 * ((unread + page - 1) / page) - 2;
      return pages <= 0 && nobodyReads() ? Integer.MAX_VALUE : Math.max(0, pages) * page;
    }

    private boolean nobodyReads() {
      int events = Posix.poll(fd, Posix.POLLOUT);
      return events > 0 && (events & Posix.POLLERR) != 0;
    }

    @Override
    public int mostRoom() {
      if (pipeBytes == UNKNOWN) {
        int size = Posix.fcntl(fd, Fcntl.F_GETPIPE_SZ, 0);
        pipeBytes = size <= 0 ? Integer.MAX_VALUE : size;
      }
      return pipeBytes;
    }
  }
}
