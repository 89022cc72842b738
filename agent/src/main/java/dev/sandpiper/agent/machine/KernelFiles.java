package dev.sandpiper.agent.machine;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/// Reads the small files that a kernel makes up while they are read: `/proc`, and the control groups.
///
/// One `read(2)` a file, so that its lines are of one moment, and because some of these files answer only the first.
/// Not thread-safe: it has one buffer.
final class KernelFiles {
  /// `/proc/stat` takes 80 bytes a processor, and its first lines are those that are wanted; all others are small.
  private static final int MOST_BYTES = 64 * 1024;

  private final String root;
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(MOST_BYTES);

  /// @param root put in front of every path: empty, or a directory that stands in for `/` in a test
  KernelFiles(String root) {
    this.root = root;
  }

  /// The text of a file.
  ///
  /// @throws IOException naming the file, when it is missing or cannot be read
  String text(String path) throws IOException {
    return read(path, false);
  }

  /// The text of a file that a kernel hands out in pieces of a few KiB, such as the list of mounts.
  String longText(String path) throws IOException {
    return read(path, true);
  }

  /// The text of a file that need not be there.
  Optional<String> find(String path) {
    try {
      return Optional.of(text(path));
    } catch (IOException _) {
      return Optional.empty(); // where it matters, the caller says what it does without
    }
  }

  private String read(String path, boolean inPieces) throws IOException {
    int fd = Posix.open(root + path, Fcntl.O_RDONLY | Fcntl.O_CLOEXEC, 0);
    if (fd < 0) {
      throw new IOException(root + path + ": " + Errno.describe(fd));
    }
    try {
      buffer.clear();
      long count;
      do {
        count = Posix.read(fd, buffer);
      } while (inPieces && count > 0 && buffer.hasRemaining());
      if (count < 0) {
        throw new IOException(root + path + ": " + Errno.describe(count));
      }
    } finally {
      Posix.close(fd);
    }
    return StandardCharsets.UTF_8.decode(buffer.flip()).toString();
  }
}
