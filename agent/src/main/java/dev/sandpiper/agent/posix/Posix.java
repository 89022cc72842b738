package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// Descriptors, files and pipes. Every method may be called from any thread.
///
/// Results are the kernel's: zero or positive on success, `-errno` on failure ({@link Errno}). Buffers must be direct;
/// their position advances by what was moved. `EINTR` is returned like any other error: none of the agent's threads
/// takes a signal in practice, and a caller that loops on `EAGAIN` handles both.
public final class Posix {
  private static final int RWF_NOWAIT = 8;

  private Posix() {}

  /// Links the downcall and loads what a first call would load (60 ms cold, 23 ms with an AOT cache), so that the first
  /// request does not pay for it. Answers the agent's own pid.
  public static int warmUp() {
    close(-1);
    status("/");
    return Tasks.getpid();
  }

  /// open(2). Paths relative to the agent's own working directory work but are not meant.
  public static int open(String path, int flags, int mode) {
    Scratch scratch = Scratch.mine();
    long address = scratch.path(path);
    return Scratch.isError(address)
        ? (int) address
        : (int) Kernel.syscall(scratch, Abi.OPENAT, Fcntl.AT_FDCWD, address, flags, mode, 0, 0);
  }

  /// close(2). The descriptor is gone whatever the answer is.
  public static int close(int fd) {
    return (int) Kernel.syscall(Abi.CLOSE, fd);
  }

  /// read(2).
  public static long read(int fd, ByteBuffer direct) {
    return moved(direct, Kernel.syscall(Abi.READ, fd, address(direct), direct.remaining()));
  }

  /// write(2). May be partial.
  public static long write(int fd, ByteBuffer direct) {
    return moved(direct, Kernel.syscall(Abi.WRITE, fd, address(direct), direct.remaining()));
  }

  /// pread(2).
  public static long pread(int fd, ByteBuffer direct, long offset) {
    return moved(
        direct, Kernel.syscall(Abi.PREAD, fd, address(direct), direct.remaining(), offset));
  }

  /// pread(2) to an address that the caller vouches for, as Netty's buffers have one; allocates nothing.
  public static long pread(int fd, long address, int length, long offset) {
    return Kernel.syscall(Abi.PREAD, fd, address, length, offset);
  }

  /// preadv2(2) of what the page cache holds: never waits for a disk. May be partial; `-EAGAIN` where nothing of it is in
  /// the cache, `-EOPNOTSUPP` where the file system cannot tell.
  public static long preadCached(int fd, ByteBuffer direct, long offset) {
    Scratch scratch = Scratch.mine();
    scratch.struct.set(JAVA_LONG, 0, address(direct)); // struct iovec
    scratch.struct.set(JAVA_LONG, 8, direct.remaining());
    return moved(
        direct,
        Kernel.syscall(
            scratch, Abi.PREADV2, fd, scratch.struct.address(), 1, offset, 0, RWF_NOWAIT));
  }

  /// pwrite(2). May be partial.
  public static long pwrite(int fd, ByteBuffer direct, long offset) {
    return moved(
        direct, Kernel.syscall(Abi.PWRITE, fd, address(direct), direct.remaining(), offset));
  }

  /// splice(2) with both descriptors' own positions. One of the two must be a pipe.
  public static long splice(int in, int out, long length, int flags) {
    return Kernel.syscall(Abi.SPLICE, in, 0, out, 0, length, flags);
  }

  /// splice(2) from a file at `offset`, whose own position stays, into a pipe.
  public static long spliceFrom(int in, long offset, int out, long length, int flags) {
    Scratch scratch = Scratch.mine();
    scratch.struct.set(JAVA_LONG, 0, offset);
    return Kernel.syscall(scratch, Abi.SPLICE, in, scratch.struct.address(), out, 0, length, flags);
  }

  /// sendfile(2) from `offset`; the file's own position stays.
  public static long sendfile(int out, int in, long offset, long count) {
    Scratch scratch = Scratch.mine();
    scratch.struct.set(JAVA_LONG, 0, offset);
    return Kernel.syscall(scratch, Abi.SENDFILE, out, in, scratch.struct.address(), count, 0, 0);
  }

  /// sendfile(2) from the file's own position, which moves by what was taken.
  public static long sendfile(int out, int in, long count) {
    return Kernel.syscall(Abi.SENDFILE, out, in, 0, count, 0, 0);
  }

  /// lseek(2).
  public static long lseek(int fd, long offset, int whence) {
    return Kernel.syscall(Abi.LSEEK, fd, offset, whence);
  }

  /// Events of {@link #poll}.
  static final long FIONREAD = 0x541B;

  public static final int POLLIN = 1;

  public static final int POLLOUT = 4;
  public static final int POLLERR = 8;
  public static final int POLLHUP = 16;

  /// poll(2) of one descriptor without waiting: the events that are there now, 0 for none.
  public static int poll(int fd, int events) {
    Scratch scratch = Scratch.mine();
    MemorySegment memory = scratch.struct; // struct pollfd, and a struct timespec of zero behind it
    memory.set(JAVA_INT, 0, fd);
    memory.set(JAVA_INT, 4, events & 0xFFFF); // the upper half becomes revents
    memory.set(JAVA_LONG, 16, 0);
    memory.set(JAVA_LONG, 24, 0);
    long address = memory.address();
    int ready = (int) Kernel.syscall(scratch, Abi.PPOLL, address, 1, address + 16, 0, 0, 0);
    return ready <= 0 ? ready : memory.get(JAVA_INT, 4) >>> 16;
  }

  /// How many bytes wait in a pipe, asked at either end (ioctl(2), `FIONREAD`).
  public static int unread(int fd) {
    Scratch scratch = Scratch.mine();
    int result = (int) Kernel.syscall(scratch, Abi.IOCTL, fd, FIONREAD, scratch.struct.address());
    return result < 0 ? result : scratch.struct.get(JAVA_INT, 0);
  }

  /// fcntl(2), commands with an integer argument.
  public static int fcntl(int fd, int command, long argument) {
    return (int) Kernel.syscall(Abi.FCNTL, fd, command, argument);
  }

  /// A duplicate with close-on-exec set (fcntl(2), `F_DUPFD_CLOEXEC`).
  public static int dup(int fd) {
    return fcntl(fd, Fcntl.F_DUPFD_CLOEXEC, 0);
  }

  /// Sets or clears `O_NONBLOCK` on the open file description, which duplicates share.
  public static int setNonBlocking(int fd, boolean nonBlocking) {
    int flags = fcntl(fd, Fcntl.F_GETFL, 0);
    if (flags < 0) {
      return flags;
    }
    int wanted = nonBlocking ? flags | Fcntl.O_NONBLOCK : flags & ~Fcntl.O_NONBLOCK;
    return wanted == flags ? 0 : fcntl(fd, Fcntl.F_SETFL, wanted);
  }

  /// ftruncate(2).
  public static int ftruncate(int fd, long length) {
    return (int) Kernel.syscall(Abi.FTRUNCATE, fd, length);
  }

  /// fsync(2).
  public static int fsync(int fd) {
    return (int) Kernel.syscall(Abi.FSYNC, fd);
  }

  /// fdatasync(2).
  public static int fdatasync(int fd) {
    return (int) Kernel.syscall(Abi.FDATASYNC, fd);
  }

  /// flock(2). Without `LOCK_NB` it may block for ever.
  public static int flock(int fd, int operation) {
    return (int) Kernel.syscall(Abi.FLOCK, fd, operation);
  }

  /// pipe2(2): `fds[0]` becomes the read end, `fds[1]` the write end.
  public static int pipe2(int[] fds, int flags) {
    Scratch scratch = Scratch.mine();
    int result = (int) Kernel.syscall(scratch, Abi.PIPE2, scratch.struct.address(), flags, 0);
    if (result == 0) {
      fds[0] = scratch.struct.get(JAVA_INT, 0);
      fds[1] = scratch.struct.get(JAVA_INT, 4);
    }
    return result;
  }

  /// mkfifo(3).
  public static int mkfifo(String path, int mode) {
    return onPath(path, Abi.MKNODAT, 0x1000 | mode, 0);
  }

  /// mkdir(2).
  public static int mkdir(String path, int mode) {
    return onPath(path, Abi.MKDIRAT, mode, 0);
  }

  /// unlink(2).
  public static int unlink(String path) {
    return onPath(path, Abi.UNLINKAT, 0, 0);
  }

  /// rmdir(2).
  public static int rmdir(String path) {
    return onPath(path, Abi.UNLINKAT, Fcntl.AT_REMOVEDIR, 0);
  }

  /// rename(2): replaces `to` in one step.
  public static int rename(String from, String to) {
    return rename(from, to, 0);
  }

  /// renameat2(2) with flags such as {@link Fcntl#RENAME_NOREPLACE}.
  public static int rename(String from, String to, int flags) {
    return At.rename(Fcntl.AT_FDCWD, from, Fcntl.AT_FDCWD, to, flags);
  }

  /// symlink(2).
  public static int symlink(String target, String linkPath) {
    Scratch scratch = Scratch.mine();
    long to = scratch.path(target);
    long link = scratch.secondPath(linkPath);
    if (Scratch.isError(to) || Scratch.isError(link)) {
      return (int) Math.min(to, link);
    }
    return (int) Kernel.syscall(scratch, Abi.SYMLINKAT, to, Fcntl.AT_FDCWD, link);
  }

  /// readlink(2); null where it is not a link or cannot be read.
  public static @Nullable String readlink(String path) {
    return At.readlink(Fcntl.AT_FDCWD, path);
  }

  /// access(2): asks with the calling thread's *real* user and groups, which is what a switched thread has.
  public static int access(String path, int mode) {
    return onPath(path, Abi.FACCESSAT, mode, 0);
  }

  /// chown(2), follows links.
  public static int chown(String path, int uid, int gid) {
    return onPath(path, Abi.FCHOWNAT, uid, gid);
  }

  /// chmod(2), follows links.
  public static int chmod(String path, int mode) {
    return onPath(path, Abi.FCHMODAT, mode, 0);
  }

  /// fchown(2).
  public static int fchown(int fd, int uid, int gid) {
    return (int) Kernel.syscall(Abi.FCHOWN, fd, uid, gid);
  }

  /// fchmod(2).
  public static int fchmod(int fd, int mode) {
    return (int) Kernel.syscall(Abi.FCHMOD, fd, mode);
  }

  /// stat(2); null where it fails. {@link #statusError} tells why.
  public static @Nullable FileStatus status(String path) {
    return status(path, 0) == 0 ? FileStatus.read(Scratch.mine().struct) : null;
  }

  /// lstat(2); null where it fails.
  public static @Nullable FileStatus linkStatus(String path) {
    return status(path, Fcntl.AT_SYMLINK_NOFOLLOW) == 0
        ? FileStatus.read(Scratch.mine().struct)
        : null;
  }

  /// fstat(2); null where it fails.
  public static @Nullable FileStatus status(int fd) {
    Scratch scratch = Scratch.mine();
    long result = Kernel.syscall(scratch, Abi.FSTAT, fd, scratch.struct.address(), 0);
    return result == 0 ? FileStatus.read(scratch.struct) : null;
  }

  /// What stat(2) answers for the path: zero, or `-errno`.
  public static int statusError(String path) {
    return status(path, 0);
  }

  /// The type of file system under a path (statfs(2), `f_type`), or `-errno`.
  public static long fileSystemType(String path) {
    Scratch scratch = Scratch.mine();
    long address = scratch.path(path);
    if (Scratch.isError(address)) {
      return address;
    }
    long result = Kernel.syscall(scratch, Abi.STATFS, address, scratch.struct.address(), 0);
    return result < 0 ? result : scratch.struct.get(JAVA_LONG, 0) & 0xFFFFFFFFL;
  }

  /// statfs(2); null where it fails.
  public static @Nullable FileSystemStatus fileSystem(String path) {
    Scratch scratch = Scratch.mine();
    long address = scratch.path(path);
    long result =
        Scratch.isError(address)
            ? address
            : Kernel.syscall(scratch, Abi.STATFS, address, scratch.struct.address(), 0);
    return result < 0 ? null : FileSystemStatus.read(scratch.struct);
  }

  /// fstatfs(2); null where it fails.
  public static @Nullable FileSystemStatus fileSystem(int fd) {
    Scratch scratch = Scratch.mine();
    long result = Kernel.syscall(scratch, Abi.FSTATFS, fd, scratch.struct.address(), 0);
    return result < 0 ? null : FileSystemStatus.read(scratch.struct);
  }

  /// copy_file_range(2) with both descriptors' own positions: zero at the end of the source.
  public static long copyFileRange(int in, int out, long length) {
    return Kernel.syscall(Abi.COPY_FILE_RANGE, in, 0, out, 0, length, 0);
  }

  /// posix_fadvise(2), such as {@link Fcntl#POSIX_FADV_WILLNEED}; a length of 0 is "to the end".
  public static int fadvise(int fd, long offset, long length, int advice) {
    return (int) Kernel.syscall(Abi.FADVISE64, fd, offset, length, advice);
  }

  /// fallocate(2) with mode 0: the blocks are there, and the file is at least `offset + length` long.
  public static int fallocate(int fd, long offset, long length) {
    return (int) Kernel.syscall(Abi.FALLOCATE, fd, 0, offset, length);
  }

  /// fallocate(2): the blocks within these bytes are given back and read as zeros; the length stays.
  public static int punchHole(int fd, long offset, long length) {
    int mode = Fcntl.FALLOC_FL_KEEP_SIZE | Fcntl.FALLOC_FL_PUNCH_HOLE;
    return (int) Kernel.syscall(Abi.FALLOCATE, fd, mode, offset, length);
  }

  /// fallocate(2) with `FALLOC_FL_KEEP_SIZE`: the blocks are there, also behind the end of the file, which stays.
  public static int reserve(int fd, long offset, long length) {
    return (int) Kernel.syscall(Abi.FALLOCATE, fd, Fcntl.FALLOC_FL_KEEP_SIZE, offset, length);
  }

  /// syncfs(2): everything of the file system that holds the descriptor reaches its disk.
  public static int syncfs(int fd) {
    return (int) Kernel.syscall(Abi.SYNCFS, fd);
  }

  /// `f_type` of a tmpfs.
  public static final long TMPFS = 0x01021994L;

  private static int status(String path, int flags) {
    Scratch scratch = Scratch.mine();
    long address = scratch.path(path);
    return Scratch.isError(address)
        ? (int) address
        : (int)
            Kernel.syscall(
                scratch,
                Abi.NEWFSTATAT,
                Fcntl.AT_FDCWD,
                address,
                scratch.struct.address(),
                flags,
                0,
                0);
  }

  private static int onPath(String path, int call, long second, long third) {
    Scratch scratch = Scratch.mine();
    long address = scratch.path(path);
    return Scratch.isError(address)
        ? (int) address
        : (int) Kernel.syscall(scratch, call, Fcntl.AT_FDCWD, address, second, third, 0, 0);
  }

  private static long address(ByteBuffer direct) {
    if (!direct.isDirect()) {
      throw new IllegalArgumentException("the kernel needs a direct buffer");
    }
    return MemorySegment.ofBuffer(direct).address(); // of the position, not of the start
  }

  private static long moved(ByteBuffer buffer, long result) {
    if (result > 0) {
      buffer.position(buffer.position() + (int) result);
    }
    return result;
  }
}
