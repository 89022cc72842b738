package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;

/// Pseudo-terminals: ioctl_tty(2) and pts(4). Results are the kernel's, as in {@link Posix}.
public final class Terminals {
  private static final long TIOCGWINSZ = 0x5413;
  private static final long TIOCSWINSZ = 0x5414;
  private static final long TIOCSPTLCK = 0x40045431L;
  private static final long TIOCGPTN = 0x80045430L;

  private Terminals() {}

  /// Opens a new master, unlocks its slave and answers the master, non-blocking and close-on-exec. The slave belongs to
  /// the calling thread's (file system) user.
  public static int openMaster() {
    int flags = Fcntl.O_RDWR | Fcntl.O_NOCTTY | Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC;
    int master = Posix.open("/dev/ptmx", flags, 0);
    if (master < 0) {
      return master;
    }
    Scratch scratch = Scratch.mine();
    scratch.struct.set(JAVA_INT, 0, 0);
    int unlocked = ioctl(scratch, master, TIOCSPTLCK, scratch.struct);
    if (unlocked < 0) {
      Posix.close(master);
      return unlocked;
    }
    return master;
  }

  /// The number N of the slave `/dev/pts/N`.
  public static int slaveNumber(int master) {
    Scratch scratch = Scratch.mine();
    int result = ioctl(scratch, master, TIOCGPTN, scratch.struct);
    return result < 0 ? result : scratch.struct.get(JAVA_INT, 0);
  }

  /// Sets the size in characters; each is cut to 16 bits. The foreground group gets `SIGWINCH` when it changes.
  public static int setSize(int master, int columns, int rows) {
    Scratch scratch = Scratch.mine();
    MemorySegment size =
        scratch.struct; // struct winsize: rows, columns, and pixels that nobody uses
    size.set(JAVA_SHORT, 0, (short) rows);
    size.set(JAVA_SHORT, 2, (short) columns);
    size.set(JAVA_INT, 4, 0);
    return ioctl(scratch, master, TIOCSWINSZ, size);
  }

  /// The size as `columns << 16 | rows`, or `-errno`.
  public static long size(int master) {
    Scratch scratch = Scratch.mine();
    int result = ioctl(scratch, master, TIOCGWINSZ, scratch.struct);
    if (result < 0) {
      return result;
    }
    long rows = Short.toUnsignedLong(scratch.struct.get(JAVA_SHORT, 0));
    long columns = Short.toUnsignedLong(scratch.struct.get(JAVA_SHORT, 2));
    return columns << 16 | rows;
  }

  private static int ioctl(Scratch scratch, int fd, long request, MemorySegment argument) {
    return (int) Kernel.syscall(scratch, Abi.IOCTL, fd, request, argument.address());
  }
}
