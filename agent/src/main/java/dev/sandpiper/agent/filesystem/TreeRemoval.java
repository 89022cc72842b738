package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.posix.At;
import dev.sandpiper.agent.posix.DirectoryReader;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import java.util.ArrayDeque;
import java.util.Deque;

/// Removes a file, a link itself, or a directory with all it holds.
///
/// Directories are opened from the one above, never through a link, so a link that is swapped in meanwhile is removed
/// rather than followed. One descriptor is open, however deep the tree is: the way up is `..`, and must lead to the
/// directory that the way down came from. Of each directory the names of at most 1,000 others are in memory.
final class TreeRemoval {
  private static final int DIRECTORIES_AT_ONCE = 1000;
  private static final int REFILLS = 100; // of directories that others fill while they are emptied
  private static final int OPEN =
      Fcntl.O_RDONLY | Fcntl.O_DIRECTORY | Fcntl.O_NOFOLLOW | Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC;

  private final Deque<Level> levels = new ArrayDeque<>();
  private int refills;

  private static final class Level {
    final String name;
    final FileStatus status;
    final Deque<String> directories = new ArrayDeque<>();

    Level(String name, FileStatus status) {
      this.name = name;
      this.status = status;
    }
  }

  private TreeRemoval() {}

  /// Removes `name`, if it is there, from the open directory `parent`.
  static void remove(int parent, String name, String path) throws FileFailure {
    int error = At.unlink(parent, name, 0);
    if (error == 0 || error == -Errno.ENOENT) {
      return;
    }
    FileStatus status = At.status(parent, name, Fcntl.AT_SYMLINK_NOFOLLOW);
    if (!status.exists() && status.error() == -Errno.ENOENT) {
      return;
    }
    if (!status.isDirectory()) {
      throw failed(error, "unlinkat", path);
    }
    TreeRemoval removal = new TreeRemoval();
    do {
      removal.removeTree(parent, name, path);
      error = At.unlink(parent, name, Fcntl.AT_REMOVEDIR);
    } while (error == -Errno.ENOTEMPTY && ++removal.refills < REFILLS);
    if (error < 0 && error != -Errno.ENOENT) {
      throw failed(error, "unlinkat", path);
    }
  }

  /// Empties the directory.
  private void removeTree(int parent, String name, String path) throws FileFailure {
    int fd = enter(parent, name, path);
    if (fd < 0) {
      return;
    }
    try {
      while (true) {
        Level level = levels.element();
        String below = level.directories.poll();
        if (below != null) {
          int next = enter(fd, below, path);
          if (next >= 0) {
            Posix.close(fd);
            fd = next;
          }
        } else if (empty(fd, level, path)) {
          if (levels.size() == 1) {
            levels.pop();
            return;
          }
          int up = leave(fd, path);
          Posix.close(fd);
          fd = up;
        }
      }
    } finally {
      Posix.close(fd);
    }
  }

  /// Opens a directory below; a negative number where it is gone or was something else, which is removed.
  private int enter(int dir, String name, String path) throws FileFailure {
    int fd = At.open(dir, name, OPEN, 0);
    if (fd >= 0) {
      FileStatus status = Posix.status(fd);
      if (status == null) {
        Posix.close(fd);
        throw failed(Errno.EIO, "fstat", where(path, name));
      }
      levels.push(new Level(name, status));
      return fd;
    }
    if (fd == -Errno.EACCES || fd == -Errno.EPERM) {
      if (At.unlink(dir, name, Fcntl.AT_REMOVEDIR) == 0) {
        return fd; // an empty one need not be read
      }
    } else {
      int error = fd == -Errno.ENOENT ? 0 : At.unlink(dir, name, 0);
      if (error == 0 || error == -Errno.ENOENT) {
        return fd;
      }
    }
    throw failed(fd, "openat", where(path, name));
  }

  /// Removes what is no directory and remembers the others. True if there were none.
  private boolean empty(int fd, Level level, String path) throws FileFailure {
    Posix.lseek(fd, 0, Fcntl.SEEK_SET);
    try (DirectoryReader reader = new DirectoryReader(fd)) {
      while (level.directories.size() < DIRECTORIES_AT_ONCE && reader.next()) {
        String name = reader.name();
        int error =
            reader.type() == DirectoryReader.DIRECTORY ? -Errno.EISDIR : At.unlink(fd, name, 0);
        if (error == -Errno.EISDIR) {
          level.directories.add(name);
        } else if (error == -Errno.EPERM && isDirectory(fd, name)) {
          level.directories.add(name); // what POSIX has in place of EISDIR
        } else if (error < 0 && error != -Errno.ENOENT) {
          throw failed(error, "unlinkat", where(path, name));
        }
      }
      if (reader.error() < 0 && reader.error() != -Errno.ENOENT) {
        throw failed(reader.error(), "readdirent", where(path, ""));
      }
    }
    return level.directories.isEmpty();
  }

  private static boolean isDirectory(int fd, String name) {
    return At.status(fd, name, Fcntl.AT_SYMLINK_NOFOLLOW).isDirectory();
  }

  /// Goes to the directory above and removes this one there.
  private int leave(int fd, String path) throws FileFailure {
    Level left = levels.pop();
    int up = At.open(fd, "..", OPEN, 0);
    FileStatus above = up < 0 ? null : Posix.status(up);
    if (above == null || !above.isSameFile(levels.element().status)) {
      Posix.close(up);
      throw failed(
          up < 0 ? up : Errno.EBUSY, "openat", where(path, left.name) + "/.., which was moved");
    }
    int error = At.unlink(up, left.name, Fcntl.AT_REMOVEDIR);
    boolean tolerable = // the directory above is read again, and shows what is left
        error == 0
            || error == -Errno.ENOENT
            || error == -Errno.ENOTDIR
            || (error == -Errno.ENOTEMPTY && ++refills < REFILLS);
    if (!tolerable) {
      Posix.close(up);
      throw failed(error, "unlinkat", where(path, left.name));
    }
    return up;
  }

  private String where(String path, String name) {
    StringBuilder where = new StringBuilder(path);
    int skipped = 0;
    for (Level level : levels.reversed()) {
      if (skipped++ > 0) {
        where.append('/').append(level.name);
      }
    }
    return name.isEmpty() ? where.toString() : where.append('/').append(name).toString();
  }

  private static FileFailure failed(int error, String operation, String path) {
    return Failing.internal(error, operation, path);
  }
}
