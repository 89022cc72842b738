package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.posix.At;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Xattrs;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/// Copies what one open file holds, and what is known of it, to another.
final class FileCopy {
  private static final int CHUNK_BYTES = 256 * 1024; // for file systems without copy_file_range(2)
  private static final long RANGE_BYTES = 64L << 20;

  private static final int SEEK_DATA = 3;
  private static final int SEEK_HOLE = 4;

  private FileCopy() {}

  /// Copies the bytes, holes as holes.
  static void bytes(int from, int to, long size, String path) throws FileFailure {
    long position = 0;
    while (true) {
      long data = Posix.lseek(from, position, SEEK_DATA);
      if (data == -Errno.ENXIO) { // nothing but a hole up to the end
        break;
      }
      long end = data < 0 ? Long.MAX_VALUE : Posix.lseek(from, data, SEEK_HOLE);
      if (data < 0 || end < 0) { // a file system that does not tell: all of it is data
        data = position;
        end = Long.MAX_VALUE;
      }
      Posix.lseek(from, data, Fcntl.SEEK_SET);
      Posix.lseek(to, data, Fcntl.SEEK_SET);
      long copied = extent(from, to, end - data, path);
      position = data + copied;
      if (copied < end - data) {
        break;
      }
    }
    check(Posix.ftruncate(to, Math.max(size, position)), "ftruncate", path);
  }

  /// Copies up to `length` bytes; fewer at the end of the file.
  private static long extent(int from, int to, long length, String path) throws FileFailure {
    long copied = 0;
    while (copied < length) {
      long moved = Posix.copyFileRange(from, to, Math.min(RANGE_BYTES, length - copied));
      if (moved == -Errno.EXDEV
          || moved == -Errno.EINVAL
          || moved == -Errno.ENOSYS
          || moved == -Errno.EOPNOTSUPP
          || (moved == 0 && copied == 0)) { // some file systems answer 0 for what read(2) gives
        return copied + readAndWrite(from, to, length - copied, path);
      }
      if (moved != -Errno.EINTR) {
        check(moved, "copy_file_range", path);
        if (moved == 0) {
          break;
        }
        copied += moved;
      }
    }
    return copied;
  }

  private static long readAndWrite(int from, int to, long length, String path) throws FileFailure {
    ByteBuffer buffer = ByteBuffer.allocateDirect(CHUNK_BYTES);
    long copied = 0;
    while (copied < length) {
      buffer.clear().limit((int) Math.min(CHUNK_BYTES, length - copied));
      long read = Posix.read(from, buffer);
      check(read, "read", path);
      if (read == 0) {
        break;
      }
      buffer.flip();
      while (buffer.hasRemaining()) {
        check(Posix.write(to, buffer), "write", path);
      }
      copied += read;
    }
    return copied;
  }

  /// Gives the copy owner, extended attributes, mode and times, in the order in which none undoes another: a change of
  /// owner takes set-id bits, and a mode without writing takes the right to set attributes.
  static void facts(int from, int to, FileStatus source, String path) throws FileFailure {
    int owned = Posix.fchown(to, source.uid(), source.gid());
    boolean kept = owned == 0;
    if (!kept && owned != -Errno.EPERM) {
      throw Failing.internal(owned, "fchown", path);
    }
    attributes(from, to, path, false);
    // As mv(1) does: set-id bits are not for whoever happens to copy.
    int mode = kept ? source.permissions() : source.permissions() & 0777;
    check(Posix.fchmod(to, mode), "fchmod", path);
    attributes(from, to, path, true);
    check(At.setTimes(to, source), "futimens", path);
  }

  /// Attributes of users must be kept, unless the file system has none at all; those of the system where that may be.
  private static void attributes(int from, int to, String path, boolean accessLists)
      throws FileFailure {
    List<String> names = new ArrayList<>(0);
    if (Xattrs.list(from, names) < 0) {
      return;
    }
    for (String name : names) {
      byte[] value = Xattrs.get(from, name);
      if (value == null || name.startsWith("system.posix_acl_") != accessLists) {
        continue;
      }
      int set = Xattrs.set(to, name, value);
      if (set < 0 && set != -Errno.EOPNOTSUPP && name.startsWith("user.")) {
        throw Failing.internal(set, "fsetxattr " + name, path);
      }
    }
  }

  private static void check(long result, String operation, String path) throws FileFailure {
    if (result < 0) {
      throw Failing.internal((int) result, operation, path);
    }
  }
}
