package dev.sandpiper.agent.posix;

/// inotify(7): what happens to the names in a directory. Results are the kernel's, as in {@link Posix}.
///
/// A watch belongs to an inode, not to a path: it follows a directory that is renamed, and adding one that is there
/// already answers with the number it has. Numbers are not used again before there have been two thousand million.
public final class Inotify {
  public static final int IN_MODIFY = 0x2;
  public static final int IN_ATTRIB = 0x4;
  public static final int IN_MOVED_FROM = 0x40;
  public static final int IN_MOVED_TO = 0x80;
  public static final int IN_CREATE = 0x100;
  public static final int IN_DELETE = 0x200;
  public static final int IN_DELETE_SELF = 0x400;
  public static final int IN_MOVE_SELF = 0x800;

  /// Told unasked: the file system is gone, events were lost, the watch is gone.
  public static final int IN_UNMOUNT = 0x2000;

  public static final int IN_Q_OVERFLOW = 0x4000;
  public static final int IN_IGNORED = 0x8000;

  /// Asks for a directory or `-ENOTDIR`.
  public static final int IN_ONLYDIR = 0x1000000;

  /// Leaves out what happens to a file that has lost its name, such as one made with `O_TMPFILE`.
  public static final int IN_EXCL_UNLINK = 0x4000000;

  /// Set in an event whose subject is a directory.
  public static final int IN_ISDIR = 0x40000000;

  private Inotify() {}

  /// inotify_init1(2), non-blocking and close-on-exec. `-EMFILE` where the user has as many as
  /// `fs.inotify.max_user_instances` allows, or the agent too many descriptors.
  public static int open() {
    return (int) Kernel.syscall(Abi.INOTIFY_INIT1, Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC);
  }

  /// inotify_add_watch(2): the number of the watch. Needs the right to read the directory. `-ENOSPC` where the user has
  /// as many watches as `fs.inotify.max_user_watches` allows.
  public static int add(int inotify, String path, int mask) {
    Scratch scratch = Scratch.mine();
    long address = scratch.path(path);
    return Scratch.isError(address)
        ? (int) address
        : (int) Kernel.syscall(scratch, Abi.INOTIFY_ADD_WATCH, inotify, address, mask);
  }

  /// The same for an open file, whatever its path is by now; one opened with {@link Fcntl#O_PATH} will do. Needs `/proc`.
  public static int add(int inotify, int target, int mask) {
    return add(inotify, "/proc/self/fd/" + target, mask);
  }

  /// inotify_rm_watch(2). An `IN_IGNORED` follows in the queue.
  public static int remove(int inotify, int watch) {
    return (int) Kernel.syscall(Abi.INOTIFY_RM_WATCH, inotify, watch);
  }

  /// How many bytes of events wait.
  public static int pending(int inotify) {
    return Posix.unread(inotify);
  }
}
