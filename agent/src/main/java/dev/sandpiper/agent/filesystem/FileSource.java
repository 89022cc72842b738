package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.filesystem.FileFailure.Kind;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.FileSystemStatus;
import dev.sandpiper.agent.posix.PageCache;
import dev.sandpiper.agent.posix.Posix;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/// An open file that is read by a download. Everything that does not say otherwise, but for [#size] and the like, blocks on
/// the file system, so it runs on a thread of [FileWork] under the user's identity. Not thread-safe: one at a time.
public final class FileSource implements AutoCloseable {
  /// What [#read] answers where there is nothing now and may be something later (a FIFO, a terminal).
  public static final int NOTHING_NOW = -1;

  /// File systems whose files are made by the kernel as they are read and have a size that means nothing: proc, sysfs,
  /// debugfs, tracefs, control groups of both versions, securityfs, configfs.
  private static final long[] MADE_UP = {
    0x9fa0L, 0x62656572L, 0x64626720L, 0x74726163L, 0x27e0ebL, 0x63677270L, 0x73636673L, 0x62656570L
  };

  private static final int OPEN_FLAGS =
      Fcntl.O_RDONLY | Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK | Fcntl.O_NOCTTY;

  private final String path;
  private final FileStatus status;
  private final int fd;
  private @Nullable FileChannel channel;
  private boolean closed;

  private FileSource(String path, FileStatus status, int fd) {
    this.path = path;
    this.status = status;
    this.fd = fd;
  }

  /// Opens a file, links followed. A FIFO is not waited for.
  ///
  /// @throws FileFailure `NOT_FOUND`, `IS_A_DIRECTORY`, or another kind, each with the message for the caller
  public static FileSource open(String path) throws FileFailure {
    int fd = Posix.open(path, OPEN_FLAGS, 0);
    if (fd < 0) {
      throw failure(fd, path);
    }
    FileStatus status = Posix.status(fd);
    if (status == null || status.isDirectory()) {
      Posix.close(fd);
      throw status == null
          ? FileFailure.of(-Errno.EIO, "fstat", path)
          : new FileFailure(
              Kind.IS_A_DIRECTORY, Errno.EISDIR, "path '" + path + "' is a directory");
    }
    return new FileSource(path, status, fd);
  }

  /// The same on the calling thread, where nothing of it can make it wait; else null, and [#open] tells why.
  public static @Nullable FileSource openCached(FileWork work, User user, String path) {
    int fd = work.openCached(user, path, OPEN_FLAGS);
    if (fd < 0) {
      return null;
    }
    FileStatus status = Posix.status(fd);
    if (status == null || status.isDirectory()) {
      Posix.close(fd);
      return null;
    }
    return new FileSource(path, status, fd);
  }

  private static FileFailure failure(int error, String path) {
    return switch (-error) {
      case Errno.ENOENT ->
          new FileFailure(Kind.NOT_FOUND, Errno.ENOENT, "path '" + path + "' does not exist");
      case Errno.ENOTDIR, Errno.ELOOP, Errno.ENAMETOOLONG ->
          FileFailure.of(error, "stat", path)
              .with("error checking if path exists '" + path + "': ");
      default -> FileFailure.of(error, "open", path).with("error opening file '" + path + "': ");
    };
  }

  /// As the file system says.
  public long size() {
    return status.size();
  }

  /// Seconds since the epoch.
  public long modifiedSecond() {
    return status.modifiedSecond();
  }

  public boolean isRegular() {
    return status.isRegular();
  }

  /// Whether [#size] can be believed: a regular file with bytes in it that no kernel makes up.
  public boolean hasTrueSize() {
    if (!status.isRegular() || status.size() <= 0) {
      return false;
    }
    FileSystemStatus system = Posix.fileSystem(fd);
    for (long each : MADE_UP) {
      if (system != null && system.type() == each) {
        return false;
      }
    }
    return true;
  }

  /// Reads into a direct buffer until it is full or the file ends: the number of bytes, 0 at the end, or [#NOTHING_NOW].
  ///
  /// @param offset ignored where the file has no positions
  public int read(ByteBuffer into, long offset) throws FileFailure {
    int total = 0;
    while (into.hasRemaining()) {
      long moved =
          status.isRegular() || status.isBlockDevice()
              ? Posix.pread(fd, into, offset + total)
              : Posix.read(fd, into);
      if (moved == 0 || (moved == -Errno.EAGAIN && total > 0)) {
        return total;
      }
      if (moved == -Errno.EAGAIN) {
        return NOTHING_NOW;
      }
      if (moved < 0 && moved != -Errno.EINTR) {
        throw FileFailure.of((int) moved, "read", path).with("error reading file '" + path + "': ");
      }
      total += (int) Math.max(0, moved);
    }
    return total;
  }

  /// Fills a direct buffer with the beginning of the file, if all of that is in memory: whether it did. Never blocks.
  public boolean readCached(ByteBuffer into) {
    return status.isRegular() && Posix.preadCached(fd, into, 0) >= 0 && !into.hasRemaining();
  }

  /// Brings a part of the file into memory, so that whoever sends it need not wait for a disk. Costs little where it is
  /// there already.
  public void makeResident(long offset, long length) {
    if (!PageCache.holds(fd, offset, length)) {
      PageCache.load(fd, offset, length);
    }
  }

  /// Whether a part of the file is known to be in memory. Never waits; false where that cannot be known.
  public boolean isResident(long offset, long length) {
    return PageCache.holds(fd, offset, length);
  }

  /// The file as a channel, for sending from the page cache; closed with this.
  public FileChannel channel() throws FileFailure {
    FileChannel opened = channel;
    if (opened == null) {
      try { // by number: its path may lead elsewhere by now, and need not be a path to Java
        opened = FileChannel.open(Path.of("/proc/self/fd/" + fd), StandardOpenOption.READ);
      } catch (IOException failure) {
        throw new FileFailure(
            Kind.OTHER, 0, "error opening file '" + path + "': " + failure.getMessage());
      }
      channel = opened;
    }
    return opened;
  }

  /// Any thread; may be called twice.
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      Posix.close(fd);
      try {
        if (channel != null) {
          channel.close();
        }
      } catch (IOException impossible) {
        throw new IllegalStateException("closing what was only read", impossible);
      }
    }
  }
}
