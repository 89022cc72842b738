package dev.sandpiper.agent.journal;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/// A journal that is written anew beside the old one and then takes its place in one step. Closed before that, it leaves nothing.
final class JournalRewrite implements AutoCloseable {
  private static final int BUFFER_BYTES = 64 * 1024;

  private final Path path;
  private final Path fresh;
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
  private int fd;
  private boolean replaced;

  JournalRewrite(Path path) throws IOException {
    this.path = path;
    this.fresh = path.resolveSibling(path.getFileName() + ".new");
    int flags = Fcntl.O_WRONLY | Fcntl.O_CREAT | Fcntl.O_TRUNC | Fcntl.O_CLOEXEC | Fcntl.O_NOFOLLOW;
    fd = Posix.open(fresh.toString(), flags, 0600);
    if (fd < 0) {
      throw failed("create", fd);
    }
    buffer.put(JournalFile.header());
  }

  /// Takes over what counts of the first `limit` bytes of a journal.
  void copy(Path source, long limit, Compaction compaction) throws IOException {
    JournalFile.read(
        source,
        limit,
        (number, body) -> {
          if (compaction.counts(number, body)) {
            put(JournalFile.frame(body));
          }
        });
  }

  /// Takes over bytes `from` to `to` of a journal as they are.
  void copyTail(Path source, long from, long to) throws IOException {
    flush();
    int in = Posix.open(source.toString(), Fcntl.O_RDONLY | Fcntl.O_CLOEXEC, 0);
    if (in < 0) {
      throw failed("read the tail for", in);
    }
    try {
      for (long at = from; at < to; ) {
        buffer.limit((int) Math.min(buffer.capacity(), to - at));
        long count = Posix.pread(in, buffer, at);
        if (count <= 0) {
          throw failed("read the tail for", count);
        }
        at += count;
        flush();
      }
    } finally {
      Posix.close(in);
    }
  }

  /// Brings it to the disk: else a power cut could leave an empty file in the place of a full one.
  void sync() throws IOException {
    flush();
    int synced = Posix.fdatasync(fd);
    if (synced < 0) {
      throw failed("sync", synced);
    }
  }

  /// Puts it in the place of the old one.
  void replace() throws IOException {
    flush();
    int renamed = Posix.rename(fresh.toString(), path.toString());
    if (renamed < 0) {
      throw failed("rename", renamed);
    }
    replaced = true;
  }

  private void put(byte[] bytes) throws IOException {
    for (int at = 0; at < bytes.length; ) {
      if (!buffer.hasRemaining()) {
        flush();
      }
      int count = Math.min(buffer.remaining(), bytes.length - at);
      buffer.put(bytes, at, count);
      at += count;
    }
  }

  private void flush() throws IOException {
    buffer.flip();
    while (buffer.hasRemaining()) {
      long count = Posix.write(fd, buffer);
      if (count < 0) {
        throw failed("write", count);
      }
    }
    buffer.clear();
  }

  private IOException failed(String what, long result) {
    return new IOException("cannot %s %s: %s".formatted(what, fresh, Errno.describe(result)));
  }

  @Override
  public void close() {
    if (fd >= 0) {
      Posix.close(fd);
      fd = -1;
      if (!replaced) {
        Posix.unlink(fresh.toString());
      }
    }
  }
}
