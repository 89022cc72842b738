package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// Processes, their limits and priorities, and the identity of the calling thread.
///
/// Results are the kernel's, as in {@link Posix}. The identity calls are raw system calls: they change the *calling
/// thread* only, where glibc's functions of the same names would change every thread of the agent. They belong on
/// platform threads that start no other thread meanwhile (credentials(7)).
public final class Tasks {
  /// `RLIMIT_NPROC` and `RLIMIT_NOFILE` of getrlimit(2).
  public static final int RLIMIT_NPROC = 6;

  public static final int RLIMIT_NOFILE = 7;

  /// No limit (getrlimit(2)), all bits set.
  public static final long RLIM_INFINITY = -1;

  /// waitid(2): whom to wait for.
  public static final int P_ALL = 0;

  public static final int P_PID = 1;
  public static final int P_PIDFD = 3;

  /// waitid(2): options.
  public static final int WNOHANG = 1;

  public static final int WEXITED = 4;
  public static final int WNOWAIT = 0x01000000;

  /// pidfd_send_signal(2), Linux 6.9: the group that the process leads (or led) instead of the process.
  public static final int PIDFD_SIGNAL_PROCESS_GROUP = 4;

  /// prctl(2).
  public static final int PR_SET_DUMPABLE = 4;

  public static final int PR_SET_CHILD_SUBREAPER = 36;
  public static final int PR_GET_CHILD_SUBREAPER = 37;

  // PIDFD_GET_INFO (ioctl_pidfd(2)), struct pidfd_info in its first version.
  private static final int PIDFD_INFO_BYTES = 64;
  private static final long PIDFD_GET_INFO = 0xC040FF0BL;
  private static final long PIDFD_INFO_EXIT = 1 << 3;
  private static final int PIDFD_INFO_EXIT_CODE = 60;

  private static final int PRIO_PROCESS = 0;
  private static final int IOPRIO_WHO_PROCESS = 1;

  private Tasks() {}

  /// A limit as getrlimit(2) has it; compare unsigned, {@link #RLIM_INFINITY} is the largest.
  public record Limit(long soft, long hard) {}

  /// getpid(2).
  public static int getpid() {
    return (int) Kernel.syscall(Abi.GETPID);
  }

  /// gettid(2).
  public static int gettid() {
    return (int) Kernel.syscall(Abi.GETTID);
  }

  /// getuid(2), of the calling thread.
  public static int getuid() {
    return (int) Kernel.syscall(Abi.GETUID);
  }

  /// geteuid(2), of the calling thread.
  public static int geteuid() {
    return (int) Kernel.syscall(Abi.GETEUID);
  }

  /// getgid(2), of the calling thread.
  public static int getgid() {
    return (int) Kernel.syscall(Abi.GETGID);
  }

  /// getegid(2), of the calling thread.
  public static int getegid() {
    return (int) Kernel.syscall(Abi.GETEGID);
  }

  /// getgroups(2), of the calling thread; empty where the kernel refuses to say.
  public static int[] getgroups() {
    Scratch scratch = Scratch.mine();
    int most = Scratch.STRUCT_BYTES / 4;
    int count = (int) Kernel.syscall(scratch, Abi.GETGROUPS, most, scratch.struct.address(), 0);
    return count <= 0 ? new int[0] : scratch.struct.asSlice(0, 4L * count).toArray(JAVA_INT);
  }

  /// Supplementary groups, encoded once for {@link #setgroups(Groups)}.
  public static final class Groups {
    private final MemorySegment ids;
    private final int count;

    public Groups(int... gids) {
      ids = java.lang.foreign.Arena.ofAuto().allocate(Math.max(4L, 4L * gids.length), 4);
      MemorySegment.copy(gids, 0, ids, JAVA_INT, 0, gids.length);
      count = gids.length;
    }
  }

  /// setgroups(2), this thread only.
  public static int setgroups(Groups groups) {
    return (int) Kernel.syscall(Abi.SETGROUPS, groups.count, groups.ids.address());
  }

  /// setresuid(2), this thread only; -1 leaves an id as it is.
  public static int setresuid(int real, int effective, int saved) {
    return (int) Kernel.syscall(Abi.SETRESUID, real, effective, saved);
  }

  /// setresgid(2), this thread only; -1 leaves an id as it is.
  public static int setresgid(int real, int effective, int saved) {
    return (int) Kernel.syscall(Abi.SETRESGID, real, effective, saved);
  }

  /// setfsuid(2), this thread only. Answers the previous id and reports no failure: call it again to see what holds.
  public static int setfsuid(int uid) {
    return (int) Kernel.syscall(Abi.SETFSUID, uid);
  }

  /// setfsgid(2), like {@link #setfsuid}.
  public static int setfsgid(int gid) {
    return (int) Kernel.syscall(Abi.SETFSGID, gid);
  }

  /// kill(2); a negative pid names a process group. Callers prove first that the number has not been reused.
  public static int kill(int pid, int signal) {
    return (int) Kernel.syscall(Abi.KILL, pid, signal);
  }

  /// pidfd_open(2): a descriptor that becomes readable when the process has exited.
  public static int pidfdOpen(int pid) {
    return (int) Kernel.syscall(Abi.PIDFD_OPEN, pid, 0);
  }

  /// pidfd_send_signal(2). Flags: zero, or {@link #PIDFD_SIGNAL_PROCESS_GROUP}.
  public static int pidfdSendSignal(int pidfd, int signal, int flags) {
    return (int) Kernel.syscall(Abi.PIDFD_SEND_SIGNAL, pidfd, signal, 0, flags);
  }

  /// pidfd_getfd(2): a duplicate, close-on-exec, of another process's descriptor; `-EPERM` without the right to trace that
  /// process.
  public static int pidfdGetfd(int pidfd, int fd) {
    return (int) Kernel.syscall(Abi.PIDFD_GETFD, pidfd, fd, 0);
  }

  /// The wait status (wait(2)) of a process that somebody has collected already, from a pidfd that was opened before: Linux
  /// 6.15, `PIDFD_GET_INFO`. Negative where the kernel does not know it: `-EAGAIN` while the process runs or waits to be
  /// collected, `-ENOTTY` and others where the kernel is older.
  public static int exitStatusOf(int pidfd) {
    Scratch scratch = Scratch.mine();
    MemorySegment info = scratch.struct.asSlice(0, PIDFD_INFO_BYTES).fill((byte) 0);
    info.set(JAVA_LONG, 0, PIDFD_INFO_EXIT);
    int result = (int) Kernel.syscall(scratch, Abi.IOCTL, pidfd, PIDFD_GET_INFO, info.address());
    if (result < 0) {
      return result;
    }
    boolean known = (info.get(JAVA_LONG, 0) & PIDFD_INFO_EXIT) != 0;
    return known ? info.get(JAVA_INT, PIDFD_INFO_EXIT_CODE) : -Errno.EAGAIN;
  }

  /// Whether the kernel lets this thread look into a process (`PTRACE_MODE_READ`), also one that has exited but is not
  /// collected: then its `/proc/PID/stat` tells the truth.
  public static boolean mayLookInto(int pid) {
    Scratch scratch = Scratch.mine();
    long path = scratch.path("/proc/" + pid + "/cwd");
    long result =
        Kernel.syscall(
            scratch,
            Abi.READLINKAT,
            Fcntl.AT_FDCWD,
            path,
            scratch.struct.address(),
            Scratch.STRUCT_BYTES,
            0,
            0);
    // The right is asked for before anything else; a process that has exited has no working
    // directory any more.
    return result >= 0 || (result == -Errno.ENOENT && Posix.statusError("/proc/" + pid) == 0);
  }

  /// waitid(2) as the kernel has it, with resource usage. Null where `WNOHANG` found nobody; on failure a status whose
  /// {@link WaitStatus#error} is `-errno`.
  public static @Nullable WaitStatus waitid(int idType, int id, int options) {
    Scratch scratch = Scratch.mine();
    MemorySegment info = scratch.struct;
    info.set(JAVA_INT, WaitStatus.SI_PID, 0); // stays zero when WNOHANG finds nobody
    long address = info.address();
    long usage = address + WaitStatus.USAGE_OFFSET;
    int result = (int) Kernel.syscall(scratch, Abi.WAITID, idType, id, address, options, usage, 0);
    return WaitStatus.read(result, info);
  }

  /// prlimit(2), reading; pid 0 is the agent. Null where the kernel refuses.
  public static @Nullable Limit limit(int pid, int resource) {
    Scratch scratch = Scratch.mine();
    MemorySegment now = scratch.struct;
    long result = Kernel.syscall(scratch, Abi.PRLIMIT64, pid, resource, 0, now.address(), 0, 0);
    return result < 0 ? null : new Limit(now.get(JAVA_LONG, 0), now.get(JAVA_LONG, 8));
  }

  /// prlimit(2), writing.
  public static int setLimit(int pid, int resource, Limit limit) {
    Scratch scratch = Scratch.mine();
    MemorySegment wanted = scratch.struct;
    wanted.set(JAVA_LONG, 0, limit.soft());
    wanted.set(JAVA_LONG, 8, limit.hard());
    return (int) Kernel.syscall(scratch, Abi.PRLIMIT64, pid, resource, wanted.address(), 0, 0, 0);
  }

  /// getpriority(2) of a process; pid 0 is the calling thread. The kernel answers 20 minus the nice value, so this is
  /// 1 to 40, or `-errno`.
  public static int priority(int pid) {
    return (int) Kernel.syscall(Abi.GETPRIORITY, PRIO_PROCESS, pid);
  }

  /// setpriority(2): the nice value of a process.
  public static int setNice(int pid, int nice) {
    return (int) Kernel.syscall(Abi.SETPRIORITY, PRIO_PROCESS, pid, nice);
  }

  /// ioprio_get(2): class in the top three of sixteen bits, level below; zero is "none, derived from nice".
  public static int ioPriority(int pid) {
    return (int) Kernel.syscall(Abi.IOPRIO_GET, IOPRIO_WHO_PROCESS, pid);
  }

  /// ioprio_set(2).
  public static int setIoPriority(int pid, int ioPriority) {
    return (int) Kernel.syscall(Abi.IOPRIO_SET, IOPRIO_WHO_PROCESS, pid, ioPriority);
  }

  /// prctl(2).
  public static int prctl(int option, long argument) {
    return (int) Kernel.syscall(Abi.PRCTL, option, argument, 0, 0);
  }

  /// True where the process reaps what its descendants orphan (`PR_SET_CHILD_SUBREAPER`).
  public static boolean isSubreaper() {
    Scratch scratch = Scratch.mine();
    scratch.struct.set(JAVA_INT, 0, 0);
    long result =
        Kernel.syscall(
            scratch, Abi.PRCTL, PR_GET_CHILD_SUBREAPER, scratch.struct.address(), 0, 0, 0, 0);
    return result == 0 && scratch.struct.get(JAVA_INT, 0) != 0;
  }
}
