package dev.sandpiper.agent.posix;

import java.util.Locale;

/// What differs between the two processor families: system call numbers (`asm/unistd.h`), a few `open` flags, and the
/// head of `struct stat`. Chosen once, at start, by `os.arch`.
final class Abi {
  private static final boolean ARM = isArm(System.getProperty("os.arch", ""));

  static final int READ = pick(0, 63);
  static final int WRITE = pick(1, 64);
  static final int CLOSE = pick(3, 57);
  static final int PREAD = pick(17, 67);
  static final int PWRITE = pick(18, 68);
  static final int PREADV2 = pick(327, 286);
  static final int IOCTL = pick(16, 29);
  static final int FCNTL = pick(72, 25);
  static final int FLOCK = pick(73, 32);
  static final int FSYNC = pick(74, 82);
  static final int FDATASYNC = pick(75, 83);
  static final int FTRUNCATE = pick(77, 46);
  static final int FCHMOD = pick(91, 52);
  static final int FCHOWN = pick(93, 55);
  static final int OPENAT = pick(257, 56);
  static final int MKDIRAT = pick(258, 34);
  static final int MKNODAT = pick(259, 33);
  static final int FCHOWNAT = pick(260, 54);
  static final int FCHMODAT = pick(268, 53);
  static final int NEWFSTATAT = pick(262, 79);
  static final int FSTAT = pick(5, 80);
  static final int UNLINKAT = pick(263, 35);
  static final int OPENAT2 = 437; // the same everywhere, as all calls since Linux 5.3
  static final int CACHESTAT = 451;
  static final int RENAMEAT2 = pick(316, 276);
  static final int READLINKAT = pick(267, 78);
  static final int SYMLINKAT = pick(266, 36);
  static final int FACCESSAT = pick(269, 48);
  static final int SPLICE = pick(275, 76);
  static final int SENDFILE = pick(40, 71);
  static final int PIPE2 = pick(293, 59);
  static final int DUP3 = pick(292, 24);
  static final int EXECVE = pick(59, 221);
  static final int RT_SIGPROCMASK = pick(14, 135);
  static final int MEMFD_CREATE = pick(319, 279);
  static final int KILL = pick(62, 129);
  static final int GETPID = pick(39, 172);
  static final int GETTID = pick(186, 178);
  static final int GETUID = pick(102, 174);
  static final int GETEUID = pick(107, 175);
  static final int GETGID = pick(104, 176);
  static final int GETEGID = pick(108, 177);
  static final int GETGROUPS = pick(115, 158);
  static final int SETGROUPS = pick(116, 159);
  static final int SETRESUID = pick(117, 147);
  static final int SETRESGID = pick(119, 149);
  static final int SETFSUID = pick(122, 151);
  static final int SETFSGID = pick(123, 152);
  static final int PRCTL = pick(157, 167);
  static final int PRLIMIT64 = pick(302, 261);
  static final int WAITID = pick(247, 95);
  static final int GETPRIORITY = pick(140, 141);
  static final int SETPRIORITY = pick(141, 140);
  static final int IOPRIO_GET = pick(252, 31);
  static final int IOPRIO_SET = pick(251, 30);
  static final int STATFS = pick(137, 43);
  static final int LSEEK = pick(8, 62);
  static final int PPOLL = pick(271, 73);
  static final int GETDENTS64 = pick(217, 61);
  static final int LINKAT = pick(265, 37);
  static final int UTIMENSAT = pick(280, 88);
  static final int FSTATFS = pick(138, 44);
  static final int COPY_FILE_RANGE = pick(326, 285);
  static final int FADVISE64 = pick(221, 223);
  static final int FALLOCATE = pick(285, 47);
  static final int SYNCFS = pick(306, 267);

  // Each is followed by the one that does not follow links (l…) and the one on a descriptor (f…).
  static final int SETXATTR = pick(188, 5);
  static final int GETXATTR = pick(191, 8);
  static final int LISTXATTR = pick(194, 11);
  static final int REMOVEXATTR = pick(197, 14);

  static final int INOTIFY_INIT1 = pick(294, 26);
  static final int INOTIFY_ADD_WATCH = pick(254, 27);
  static final int INOTIFY_RM_WATCH = pick(255, 28);
  static final int EPOLL_CREATE1 = pick(291, 20);
  static final int EPOLL_CTL = pick(233, 21);
  static final int EPOLL_PWAIT = pick(281, 22);
  static final int EVENTFD2 = pick(290, 19);

  static final int SOCKETPAIR = pick(53, 199);
  static final int SENDMSG = pick(46, 211);
  static final int RECVMSG = pick(47, 212);
  static final int SETSOCKOPT = pick(54, 208);

  // One number everywhere since Linux 5.1.
  static final int PIDFD_SEND_SIGNAL = 424;
  static final int PIDFD_OPEN = 434;
  static final int CLOSE_RANGE = 436;
  static final int PIDFD_GETFD = 438;

  // open(2) flags that the processor families number differently.
  static final int O_DIRECTORY = pick(0x10000, 0x4000);
  static final int O_NOFOLLOW = pick(0x20000, 0x8000);

  // Offsets in struct stat (stat(2)) that differ; the others are the same on both.
  static final int STAT_MODE = pick(24, 16);
  static final int STAT_LINKS = pick(16, 20);
  static final int STAT_UID = pick(28, 24);
  static final int STAT_GID = pick(32, 28);
  static final int STAT_RDEV = pick(40, 32);

  // struct epoll_event is packed on x86-64 only (epoll_ctl(2)).
  static final int EPOLL_EVENT_BYTES = pick(12, 16);
  static final int EPOLL_EVENT_DATA = pick(4, 8);

  private Abi() {}

  private static int pick(int x86, int arm) {
    return ARM ? arm : x86;
  }

  static boolean isArm(String architecture) {
    return switch (architecture.toLowerCase(Locale.ROOT)) {
      case "amd64", "x86_64" -> false;
      case "aarch64", "arm64" -> true;
      default ->
          throw new UnsupportedOperationException(
              "Sandpiper runs on x86-64 and aarch64 Linux, not on '" + architecture + "'");
    };
  }
}
