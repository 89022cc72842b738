package dev.sandpiper.agent.output;

import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/// A file of index entries: a header (what it is, the number of its first entry, where the streams ended before it), then two
/// words per entry, little endian. A torn last entry does not count.
final class IndexPart {
  /// 128 KiB of entries: what goes at once when an index is too long.
  static final int MAX_ENTRIES = 8 * 1024;

  static final int ENTRY_BYTES = 16;
  private static final long MAGIC = 0x3178_6449_7050_6153L; // "SaPpIdx1"
  private static final int HEADER_BYTES = 48;

  final long first;
  final long[] floor;

  /// Entries in it, and the time of the first. Guarded by the log's monitor.
  int count;

  long firstMicros;

  IndexPart(long first, long[] floor) {
    this.first = first;
    this.floor = floor;
  }

  boolean hasRoom() {
    return count < MAX_ENTRIES;
  }

  /// Appends entries. Pipe loop only.
  ///
  /// @param direct has room for [Index#MEMORY_ENTRIES] and a header
  /// @return 0, or `-errno`, and then nothing counts as written.
  long write(String path, long[] words, ByteBuffer direct) {
    boolean fresh = count == 0;
    int flags = Fcntl.O_WRONLY | Fcntl.O_CLOEXEC | Fcntl.O_NOFOLLOW | Fcntl.O_CREAT;
    int fd = Posix.open(path, flags, 0600);
    if (fd < 0) {
      return fd;
    }
    try {
      ByteBuffer bytes = direct.clear().order(ByteOrder.LITTLE_ENDIAN);
      if (fresh) {
        firstMicros = words[1];
        bytes.putLong(MAGIC).putLong(first);
        for (long end : floor) {
          bytes.putLong(end);
        }
        bytes.putLong(0);
      }
      for (long word : words) {
        bytes.putLong(word);
      }
      bytes.flip();
      long at = fresh ? 0 : HEADER_BYTES + (long) count * ENTRY_BYTES;
      while (bytes.hasRemaining()) {
        long moved = Posix.pwrite(fd, bytes, at);
        if (moved < 0) {
          return moved;
        }
        at += moved;
      }
      return 0;
    } finally {
      Posix.close(fd);
    }
  }

  /// Reads entries from number `order` on into `words`, as many as `direct` has room for. Any thread. Returns how many, 0 when the
  /// file is gone.
  int read(String path, long order, long[] words, ByteBuffer direct) {
    int fd = Posix.open(path, Fcntl.O_RDONLY | Fcntl.O_CLOEXEC | Fcntl.O_NOFOLLOW, 0);
    if (fd < 0) {
      return 0;
    }
    try {
      ByteBuffer bytes = direct.clear().order(ByteOrder.LITTLE_ENDIAN);
      long at = HEADER_BYTES + (order - first) * ENTRY_BYTES;
      while (bytes.hasRemaining()) {
        long moved = Posix.pread(fd, bytes, at);
        if (moved <= 0) {
          break;
        }
        at += moved;
      }
      bytes.flip();
      int entries = bytes.remaining() / ENTRY_BYTES;
      for (int i = 0; i < entries * 2; i++) {
        words[i] = bytes.getLong();
      }
      return entries;
    } finally {
      Posix.close(fd);
    }
  }

  /// Reads the header of a file that an earlier agent left; null when it is none of ours or damaged.
  static @Nullable IndexPart found(String path) {
    int fd = Posix.open(path, Fcntl.O_RDONLY | Fcntl.O_CLOEXEC | Fcntl.O_NOFOLLOW, 0);
    if (fd < 0) {
      return null;
    }
    try {
      ByteBuffer header =
          ByteBuffer.allocateDirect(HEADER_BYTES + ENTRY_BYTES).order(ByteOrder.LITTLE_ENDIAN);
      FileStatus status = Posix.status(fd);
      if (status == null
          || Posix.pread(fd, header, 0) < header.capacity()
          || header.getLong(0) != MAGIC) {
        return null;
      }
      long[] floor = new long[StreamName.COUNT];
      for (int i = 0; i < floor.length; i++) {
        floor[i] = header.getLong(16 + i * Long.BYTES);
      }
      IndexPart part = new IndexPart(header.getLong(8), floor);
      part.count = (int) ((status.size() - HEADER_BYTES) / ENTRY_BYTES);
      part.firstMicros = header.getLong(HEADER_BYTES + Long.BYTES);
      return part;
    } finally {
      Posix.close(fd);
    }
  }
}
