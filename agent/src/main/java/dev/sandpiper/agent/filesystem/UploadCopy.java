package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Posix;
import java.nio.ByteBuffer;

/// Copies from one open file to another: in the kernel where it can, else through a buffer.
final class UploadCopy {
  private static final int BUFFER_BYTES = 256 * 1024;
  private static final long STEP_BYTES = 1L << 30;

  private UploadCopy() {}

  /// Appends everything between `from`'s position and its end to `to`; answers how much that was.
  ///
  /// @param path of the file that is written, for the words of a failure
  static long rest(int from, int to, String path) throws FileFailure {
    long total = 0;
    while (true) {
      long copied = Posix.copyFileRange(from, to, STEP_BYTES);
      if (copied > 0) {
        total += copied;
      } else if (copied == -Errno.ENOSPC || copied == -Errno.EDQUOT || copied == -Errno.EIO) {
        throw UploadFailures.writing((int) copied, "write", path);
      } else if (copied != -Errno.EINTR) {
        // The end, or two files between which the kernel does not copy. It also says "the end" of
        // files whose size is
        // untrue, so the last word is read's.
        return total + throughBuffer(from, to, path);
      }
    }
  }

  private static long throughBuffer(int from, int to, String path) throws FileFailure {
    ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
    long total = 0;
    while (true) {
      buffer.clear();
      long read = Posix.read(from, buffer);
      if (read == 0) {
        return total;
      }
      if (read < 0 && read != -Errno.EINTR) {
        throw UploadFailures.writing((int) read, "read", path);
      }
      buffer.flip();
      while (buffer.hasRemaining()) {
        long written = Posix.write(to, buffer);
        if (written < 0 && written != -Errno.EINTR) {
          throw UploadFailures.writing((int) written, "write", path);
        }
      }
      total += Math.max(0, read);
    }
  }

  /// Makes sure that a file which is about to be overwritten has room for more, and leaves it alone if it has not. File
  /// systems that cannot promise room are believed to have it.
  static void reserve(int fd, long has, long needs, String path) throws FileFailure {
    if (needs <= has) {
      return;
    }
    int error = Posix.fallocate(fd, has, needs - has);
    if (error == -Errno.ENOSPC || error == -Errno.EDQUOT) {
      Posix.ftruncate(fd, has);
      throw UploadFailures.writing(error, "allocate", path);
    }
  }
}
