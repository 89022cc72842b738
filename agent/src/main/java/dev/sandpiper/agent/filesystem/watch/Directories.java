package dev.sandpiper.agent.filesystem.watch;

import dev.sandpiper.agent.posix.At;
import dev.sandpiper.agent.posix.DirectoryReader;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.FileSystemStatus;
import dev.sandpiper.agent.posix.Inotify;
import dev.sandpiper.agent.posix.Posix;
import org.jspecify.annotations.Nullable;

/// Finds the directories of a tree in the file system and adds watches to them.
///
/// Paths are of no use as soon as something above was renamed, and the event of that may still be in the queue. So a directory is
/// opened and its watch added once more: the kernel answers with the number that it has exactly if it is the one that is
/// watched. From there on names are taken from the open directory.
final class Directories {
  private static final int WHAT =
      Inotify.IN_CREATE
          | Inotify.IN_MOVED_TO
          | Inotify.IN_MODIFY
          | Inotify.IN_ATTRIB
          | Inotify.IN_MOVED_FROM
          | Inotify.IN_DELETE
          | Inotify.IN_DELETE_SELF
          | Inotify.IN_MOVE_SELF
          | Inotify.IN_ONLYDIR
          | Inotify.IN_EXCL_UNLINK;

  private static final int DIRECTORY = Fcntl.O_DIRECTORY | Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK;

  /// The directory is there and has a watch.
  ///
  /// @param fd open for reading; the caller's to close
  record Found(int fd, int watch) {}

  private final int inotify;
  private final String path;
  private final boolean allowNetworkMounts;

  /// @param path of the root, absolute
  Directories(int inotify, String path, boolean allowNetworkMounts) {
    this.inotify = inotify;
    this.path = path;
    this.allowNetworkMounts = allowNetworkMounts;
  }

  int inotify() {
    return inotify;
  }

  /// The absolute path of a name below the root; of the root itself where it is empty.
  String absolute(String below) {
    return below.isEmpty() ? path : path.endsWith("/") ? path + below : path + "/" + below;
  }

  /// Opens the root and adds its watch.
  Found root() throws WatchFailure {
    int fd = Posix.open(path, DIRECTORY, 0);
    int watch = fd < 0 ? fd : Inotify.add(inotify, fd, WHAT);
    if (watch < 0) {
      close(fd);
      throw new WatchFailure(
          WatchFailure.Kind.FAILED,
          "error adding path " + path + " to watcher: " + KernelLimits.describe(watch));
    }
    return new Found(fd, watch);
  }

  /// Opens a watched directory where it should be; `-errno` where something else or nothing is there.
  int enter(Tree tree, Node node) {
    boolean isRoot = node.parent == null;
    int fd =
        Posix.open(
            absolute(Tree.path(node, "")),
            DIRECTORY | Fcntl.O_PATH | (isRoot ? 0 : Fcntl.O_NOFOLLOW),
            0);
    if (fd < 0) {
      return fd;
    }
    int watch = Inotify.add(inotify, fd, WHAT);
    if (watch == node.watch) {
      return fd;
    }
    forgetStranger(tree, watch);
    Posix.close(fd);
    return -Errno.ENOENT;
  }

  /// Opens a directory in an open one and adds its watch.
  ///
  /// @return what was found; null where nothing is to be watched, for the reason in `error`
  @Nullable Found find(int parent, String name, int[] error) {
    int fd = At.open(parent, name, DIRECTORY | Fcntl.O_NOFOLLOW, 0);
    if (fd < 0) {
      error[0] = fd;
      return null;
    }
    if (isLeftOut(parent, fd)) {
      error[0] = -Errno.EXDEV;
      Posix.close(fd);
      return null;
    }
    int watch = Inotify.add(inotify, fd, WHAT);
    if (watch < 0) {
      error[0] = watch;
      Posix.close(fd);
      return null;
    }
    return new Found(fd, watch);
  }

  /// The watch of what is under a name now, which nothing is done to; negative where that is no directory.
  int watchOf(Tree tree, int parent, String name) {
    int fd = At.open(parent, name, DIRECTORY | Fcntl.O_PATH | Fcntl.O_NOFOLLOW, 0);
    if (fd < 0) {
      return fd;
    }
    int watch = Inotify.add(inotify, fd, WHAT);
    forgetStranger(tree, watch);
    Posix.close(fd);
    return watch;
  }

  private void forgetStranger(Tree tree, int watch) {
    if (watch >= 0 && tree.byWatch(watch) == null) {
      Inotify.remove(inotify, watch);
    }
  }

  private boolean isLeftOut(int parent, int fd) {
    FileStatus above = Posix.status(parent);
    FileStatus here = Posix.status(fd);
    if (above == null || here == null || above.device() == here.device()) {
      return false;
    }
    return isPseudo(fd) || (!allowNetworkMounts && isNetwork(fd));
  }

  static boolean isPseudo(int fd) {
    FileSystemStatus mounted = Posix.fileSystem(fd);
    return mounted != null && FileSystems.isPseudo(mounted.type());
  }

  private static boolean isNetwork(int fd) {
    FileSystemStatus mounted = Posix.fileSystem(fd);
    return mounted != null && FileSystems.isNetwork(mounted.type());
  }

  void remove(int watch) {
    Inotify.remove(inotify, watch); // one that is gone by itself is no matter
  }

  /// One name in a directory.
  interface Names {
    /// Called for each.
    ///
    /// @param directory whether it is one
    /// @param content whether it is a regular file that is not empty; only where that was asked for
    void name(String name, boolean directory, boolean content);
  }

  /// Lists an open directory. What cannot be read of it is left out: it is going away.
  void list(int fd, boolean withContent, Names names) {
    try (DirectoryReader entries = new DirectoryReader(fd)) {
      while (entries.next()) {
        int type = entries.type();
        String name = entries.name();
        boolean unknown = type == DirectoryReader.UNKNOWN;
        boolean content = false;
        boolean directory = type == DirectoryReader.DIRECTORY;
        if (unknown || (withContent && type == DirectoryReader.REGULAR)) {
          FileStatus status = At.status(fd, name, Fcntl.AT_SYMLINK_NOFOLLOW);
          directory = status.error() == 0 && status.isDirectory();
          content = status.error() == 0 && status.isRegular() && status.size() > 0;
        }
        names.name(name, directory, content);
      }
    }
  }

  static void close(int fd) {
    if (fd >= 0) {
      Posix.close(fd);
    }
  }
}
