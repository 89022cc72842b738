package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// Calls on a name in an open directory (the `*at` family). {@link Fcntl#AT_FDCWD} with an absolute path works as well.
///
/// Whoever walks a tree that others may change holds the directory and names one part at a time, with
/// {@link Fcntl#O_NOFOLLOW}: then no link that appears meanwhile leads anywhere. Results are the kernel's, as in
/// {@link Posix}.
public final class At {
  private static final long RESOLVE_NO_XDEV = 0x01;
  private static final long RESOLVE_NO_MAGICLINKS = 0x02;
  private static final long RESOLVE_CACHED = 0x20;
  private static final int OPEN_HOW_BYTES = 24;

  private At() {}

  /// openat(2).
  public static int open(int dir, String name, int flags, int mode) {
    Scratch scratch = Scratch.mine();
    long address = scratch.path(name);
    return Scratch.isError(address)
        ? (int) address
        : (int) Kernel.syscall(scratch, Abi.OPENAT, dir, address, flags, mode, 0, 0);
  }

  /// openat2(2) of an absolute path, without ever waiting for a disk or a network: only what lies on the root file system
  /// and whose every step is in the kernel's cache; no path through `/proc/PID/fd`. `-EAGAIN` for what is not in the
  /// cache, `-EXDEV` for what lies elsewhere, `-ENOSYS` before Linux 5.6 and `-EINVAL` before 5.12.
  public static int openCached(String path, int flags) {
    Scratch scratch = Scratch.mine();
    long address = scratch.path(path);
    if (Scratch.isError(address)) {
      return (int) address;
    }
    MemorySegment how = scratch.struct; // struct open_how
    how.set(JAVA_LONG, 0, flags);
    how.set(JAVA_LONG, 8, 0);
    how.set(JAVA_LONG, 16, RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED);
    return (int)
        Kernel.syscall(
            scratch, Abi.OPENAT2, Fcntl.AT_FDCWD, address, how.address(), OPEN_HOW_BYTES, 0, 0);
  }

  /// fstatat(2); flags such as {@link Fcntl#AT_SYMLINK_NOFOLLOW}. {@link FileStatus#error} says why there is none.
  public static FileStatus status(int dir, String name, int flags) {
    Scratch scratch = Scratch.mine();
    long address = scratch.path(name);
    long result =
        Scratch.isError(address)
            ? address
            : Kernel.syscall(
                scratch, Abi.NEWFSTATAT, dir, address, scratch.struct.address(), flags, 0, 0);
    return result < 0 ? FileStatus.failed((int) result) : FileStatus.read(scratch.struct);
  }

  /// readlinkat(2); null where it is not a link or cannot be read.
  public static @Nullable String readlink(int dir, String name) {
    Scratch scratch = Scratch.mine();
    long address = scratch.path(name);
    if (Scratch.isError(address)) {
      return null;
    }
    MemorySegment target = scratch.struct;
    long length =
        Kernel.syscall(
            scratch, Abi.READLINKAT, dir, address, target.address(), target.byteSize(), 0, 0);
    return length < 0 ? null : FileNames.decode(target.asSlice(0, length).toArray(JAVA_BYTE));
  }

  /// mkdirat(2).
  public static int mkdir(int dir, String name, int mode) {
    return call(Abi.MKDIRAT, dir, name, mode, 0, 0);
  }

  /// mknodat(2): type and permissions in `mode`, the device in `special` as {@link FileStatus#special} has it.
  public static int mknod(int dir, String name, int mode, long special) {
    return call(Abi.MKNODAT, dir, name, mode, special, 0); // the kernel's stat(2) has it encoded so
  }

  /// unlinkat(2); flags: {@link Fcntl#AT_REMOVEDIR} for a directory.
  public static int unlink(int dir, String name, int flags) {
    return call(Abi.UNLINKAT, dir, name, flags, 0, 0);
  }

  /// fchownat(2); -1 leaves an id as it is.
  public static int chown(int dir, String name, int uid, int gid, int flags) {
    return call(Abi.FCHOWNAT, dir, name, uid, gid, flags);
  }

  /// fchmodat(2), which follows links.
  public static int chmod(int dir, String name, int mode) {
    return call(Abi.FCHMODAT, dir, name, mode, 0, 0);
  }

  private static int call(int number, int dir, String name, long third, long fourth, long fifth) {
    Scratch scratch = Scratch.mine();
    long address = scratch.path(name);
    return Scratch.isError(address)
        ? (int) address
        : (int) Kernel.syscall(scratch, number, dir, address, third, fourth, fifth, 0);
  }

  /// symlinkat(2): makes `name` a link to `target`.
  public static int symlink(String target, int dir, String name) {
    Scratch scratch = Scratch.mine();
    long to = scratch.path(target);
    long link = scratch.secondPath(name);
    if (Scratch.isError(to) || Scratch.isError(link)) {
      return (int) Math.min(to, link);
    }
    return (int) Kernel.syscall(scratch, Abi.SYMLINKAT, to, dir, link);
  }

  /// renameat2(2); flags such as {@link Fcntl#RENAME_NOREPLACE}, which not every file system knows (`-EINVAL`).
  public static int rename(int fromDir, String from, int toDir, String to, int flags) {
    return twoNames(Abi.RENAMEAT2, fromDir, from, toDir, to, flags);
  }

  /// linkat(2): a second name for a file; a link is not followed.
  public static int link(int fromDir, String from, int toDir, String to) {
    return twoNames(Abi.LINKAT, fromDir, from, toDir, to, 0);
  }

  /// Gives a name to an open file, such as one made with {@link Fcntl#O_TMPFILE}. Needs `/proc`.
  public static int link(int fd, int toDir, String to) {
    return twoNames(
        Abi.LINKAT, Fcntl.AT_FDCWD, "/proc/self/fd/" + fd, toDir, to, Fcntl.AT_SYMLINK_FOLLOW);
  }

  private static int twoNames(
      int number, int fromDir, String from, int toDir, String to, int flags) {
    Scratch scratch = Scratch.mine();
    long source = scratch.path(from);
    long target = scratch.secondPath(to);
    if (Scratch.isError(source) || Scratch.isError(target)) {
      return (int) Math.min(source, target);
    }
    return (int) Kernel.syscall(scratch, number, fromDir, source, toDir, target, flags, 0);
  }

  /// utimensat(2): gives a file the times of another. Flags such as {@link Fcntl#AT_SYMLINK_NOFOLLOW}.
  public static int setTimes(int dir, String name, FileStatus times, int flags) {
    Scratch scratch = Scratch.mine();
    long address = scratch.path(name);
    return Scratch.isError(address)
        ? (int) address
        : (int)
            Kernel.syscall(
                scratch, Abi.UTIMENSAT, dir, address, timespecs(scratch, times), flags, 0, 0);
  }

  /// futimens(3): the same for an open file.
  public static int setTimes(int fd, FileStatus times) {
    Scratch scratch = Scratch.mine();
    return (int) Kernel.syscall(scratch, Abi.UTIMENSAT, fd, 0, timespecs(scratch, times), 0, 0, 0);
  }

  private static long timespecs(Scratch scratch, FileStatus times) {
    scratch.struct.set(JAVA_LONG, 0, times.accessedSecond());
    scratch.struct.set(JAVA_LONG, 8, times.accessedNano());
    scratch.struct.set(JAVA_LONG, 16, times.modifiedSecond());
    scratch.struct.set(JAVA_LONG, 24, times.modifiedNano());
    return scratch.struct.address();
  }
}
