package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.filesystem.FileFailure.Kind;
import dev.sandpiper.agent.posix.At;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import java.util.concurrent.ThreadLocalRandom;

/// Moves a file or a tree: one rename(2), or, across file systems, a copy beside the destination that is written to the
/// disk, renamed, and only then followed by the removal of the source. Where it fails, the source is whole, the
/// destination as it was, and what was made on the way is removed again.
final class Moving {
  private static final int OPEN_DIR = Fcntl.O_RDONLY | Fcntl.O_DIRECTORY | Fcntl.O_CLOEXEC;
  private static final int OPEN_PATH = Fcntl.O_PATH | Fcntl.O_DIRECTORY | Fcntl.O_CLOEXEC;

  private final Directories directories;

  Moving(Directories directories) {
    this.directories = directories;
  }

  void move(String source, String destination, User user) throws FileFailure {
    FileStatus moved = At.status(Fcntl.AT_FDCWD, source, Fcntl.AT_SYMLINK_NOFOLLOW);
    if (moved.error() == -Errno.ENOENT) {
      throw FileFailure.of(moved.error(), "lstat", source).with("source file not found: ");
    }
    if (!moved.exists()) {
      throw failed(moved.error(), source, destination);
    }
    FileStatus there = At.status(Fcntl.AT_FDCWD, destination, Fcntl.AT_SYMLINK_NOFOLLOW);
    if (there.isDirectory() && !there.isSameFile(moved)) {
      throw failed(Errno.EEXIST, source, destination);
    }
    Split target = Split.of(destination);
    Directories.Made made = parents(target, user);
    try {
      int error = Posix.rename(source, destination);
      if (error == -Errno.EXDEV) {
        across(source, moved, destination, target);
      } else if (error < 0) {
        throw failed(error, source, destination);
      }
    } catch (FileFailure failure) {
      made.undo();
      throw failure;
    }
  }

  private Directories.Made parents(Split target, User user) throws FileFailure {
    try {
      return directories.make(target.parent(), user);
    } catch (FileFailure failure) {
      if (failure.kind() == Kind.NOT_A_DIRECTORY) {
        throw new FileFailure(Kind.OTHER, Errno.ENOTDIR, "path is a file: " + target.parent());
      }
      throw Failing.internal(failure.errno(), failure.getMessage())
          .with("failed to create directory: ");
    }
  }

  private static FileFailure failed(int error, String source, String destination) {
    return Failing.internal(error, "rename", source + " " + destination).with("error renaming: ");
  }

  private void across(String source, FileStatus moved, String destination, Split target)
      throws FileFailure {
    Split from = Split.of(source);
    int fromDir = Posix.open(from.parent(), OPEN_PATH, 0);
    int toDir = Posix.open(target.parent(), OPEN_DIR, 0);
    try {
      if (fromDir < 0 || toDir < 0) {
        throw failed(Math.min(fromDir, toDir), source, destination);
      }
      if (isBelow(toDir, moved)) { // possible where something is mounted in the source
        throw failed(Errno.EINVAL, source, destination);
      }
      copyAndSwap(fromDir, from.name(), moved, toDir, target.name(), source, destination);
      try {
        TreeRemoval.remove(fromDir, from.name(), source);
      } catch (FileFailure failure) {
        throw failure.with(
            "moved to " + destination + ", but the source could not be wholly removed: ");
      }
    } finally {
      Posix.close(fromDir);
      Posix.close(toDir);
    }
  }

  private static void copyAndSwap(
      int fromDir,
      String name,
      FileStatus moved,
      int toDir,
      String target,
      String source,
      String destination)
      throws FileFailure {
    String copy =
        ".sandpiper-move-" + Long.toHexString(ThreadLocalRandom.current().nextLong() | 1L << 63);
    boolean swapped = false;
    try {
      TreeCopy.copy(fromDir, name, moved, toDir, copy, source);
      durable(toDir, copy, moved, source, destination);
      int error = At.rename(toDir, copy, toDir, target, 0);
      if (error < 0) {
        throw failed(error, source, destination);
      }
      swapped = true;
      error = Posix.fsync(toDir);
      if (error < 0 && error != -Errno.EINVAL) { // some file systems have no such thing
        throw failed(error, source, destination);
      }
    } catch (FileFailure failure) {
      if (!swapped) {
        discard(toDir, copy, destination);
      }
      throw failure.getMessage().startsWith("error renaming: ")
          ? failure
          : failure.with("error renaming: ");
    }
  }

  /// One file is synced itself; a tree by everything that its file system has to write, which is one call.
  private static void durable(
      int toDir, String copy, FileStatus moved, String source, String destination)
      throws FileFailure {
    int error;
    if (moved.isRegular()) {
      int fd = At.open(toDir, copy, Fcntl.O_RDONLY | Fcntl.O_NOFOLLOW | Fcntl.O_CLOEXEC, 0);
      error = fd < 0 ? -Errno.EACCES : Posix.fsync(fd); // a mode without reading: the next line
      Posix.close(fd);
      error = error == -Errno.EACCES ? Posix.syncfs(toDir) : error;
    } else {
      error = Posix.syncfs(toDir);
    }
    if (error < 0) {
      throw failed(error, source, destination);
    }
  }

  private static void discard(int toDir, String copy, String destination) {
    try {
      TreeRemoval.remove(toDir, copy, destination);
    } catch (FileFailure left) {
      org.slf4j.LoggerFactory.getLogger("filesystem")
          .warn("what a failed move had copied could not be removed: {}", left.getMessage());
    }
  }

  /// Whether the open directory is `moved` or lies in it.
  private static boolean isBelow(int dir, FileStatus moved) {
    int here = Posix.dup(dir);
    FileStatus status = Posix.status(here);
    while (here >= 0 && status != null && !status.isSameFile(moved)) {
      int up = At.open(here, "..", OPEN_PATH, 0);
      FileStatus above = up < 0 ? null : Posix.status(up);
      boolean top = above == null || above.isSameFile(status);
      Posix.close(here);
      here = up;
      status = top ? null : above;
    }
    Posix.close(here);
    return status != null;
  }

  /// A path's last part and the directory that holds it.
  record Split(String parent, String name) {
    static Split of(String path) {
      int end = path.length();
      while (end > 1 && path.charAt(end - 1) == '/') {
        end--;
      }
      int slash = path.lastIndexOf('/', end - 1);
      String parent = slash <= 0 ? "/" : path.substring(0, slash);
      return new Split(parent, path.substring(slash + 1, end));
    }
  }
}
