package dev.sandpiper.agent.process;

import dev.sandpiper.agent.launch.Child;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import java.nio.ByteBuffer;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// What makes the offset of a process's input survive the agent: input passes through a file, from which the kernel takes it.
///
/// An offset of the file is an offset of the input. Bytes are written behind the file's position and leave from there by
/// `splice(2)` into the pipe, or `sendfile(2)` into the terminal, which move the position by what was taken. So the
/// position *is* the accepted offset: no moment lies between the taking and the counting. The keeper holds the open
/// file, so a new agent that gets it back reads off its position where to go on.
///
/// | What is lost | What a new agent knows |
/// |---|---|
/// | nothing | the position |
/// | the open file, as the keeper's descriptors could not be fetched | it lies between [#STAGED_BYTES] before the end of the file, found by its path, and that end |
/// | the kernel's help (`splice` refused, no room for the file) | the position was set after each write: it lies at or up to [#STAGED_BYTES] behind it. The file's mode says so |
///
/// Bound: [#STAGED_BYTES] are in it that were not taken, and of what was taken as much as the pipe can hold and
/// [#PUNCH_BYTES]; before that there is a hole. Lies beside the FIFO of the input, on tmpfs as a rule. On the pipe loop only.
final class InputFile {
  static final int STAGED_BYTES = InputQueue.COPY_BYTES;

  private static final int PUNCH_BYTES = 256 * 1024;

  private static final int OWNER_READS_AND_WRITES = 0600;
  private static final int OWNER_READS = 0400;

  /// Bytes that a process may have taken or not.
  record Doubt(long from, long to) {}

  private final Child child;
  private final String path;
  private final int fd;
  private final boolean terminal;

  /// Where the bytes in it end.
  private long end;

  private long punched;
  private @Nullable Doubt doubt;

  /// Why the kernel does not count; null while it does.
  private @Nullable String inexact;

  private InputFile(Child child, String path, int fd, long end) {
    this.child = child;
    this.path = path;
    this.fd = fd;
    this.terminal = child.facts().containsKey(Child.FIFO_PTY);
    this.end = end;
    this.punched = end - end % PUNCH_BYTES;
  }

  private static @Nullable String pathFor(Child child) {
    String stdin = child.facts().get(Child.FIFO_STDIN);
    String fifo = stdin != null ? stdin : child.facts().get(Child.FIFO_PTY);
    return fifo == null ? null : fifo + Child.INPUT_SUFFIX;
  }

  /// Begins one, where so much input has been taken before. Null with `why[0]` set where that cannot be.
  static @Nullable InputFile create(Child child, long accepted, String[] why) {
    String path = pathFor(child);
    if (path == null) {
      why[0] = "not counted by the kernel: the process has no FIFO that outlives the agent";
      return null;
    }
    int flags = Fcntl.O_RDWR | Fcntl.O_CREAT | Fcntl.O_TRUNC | Fcntl.O_CLOEXEC | Fcntl.O_NOFOLLOW;
    int fd = Posix.open(path, flags, OWNER_READS_AND_WRITES);
    long result = fd;
    if (fd >= 0) {
      result = Posix.ftruncate(fd, accepted);
      result = result < 0 ? result : Posix.lseek(fd, accepted, Fcntl.SEEK_SET);
    }
    if (result < 0) {
      why[0] = "not counted by the kernel: " + path + ": " + Errno.describe(result);
      if (fd >= 0) {
        Posix.close(fd);
        Posix.unlink(path);
      }
      return null;
    }
    child.keep(Child.INPUT, fd);
    return new InputFile(child, path, fd, accepted);
  }

  /// That of an earlier agent, if it had one.
  static Optional<InputFile> recover(Child child) {
    String path = pathFor(child);
    if (path == null) {
      return Optional.empty();
    }
    int kept = child.kept(Child.INPUT);
    if (kept >= 0) {
      return Optional.of(keptBefore(child, path, kept));
    }
    int flags = Fcntl.O_RDWR | Fcntl.O_CLOEXEC | Fcntl.O_NOFOLLOW;
    int fd = Posix.open(path, flags, 0);
    FileStatus status = fd < 0 ? null : Posix.status(fd);
    if (status == null) {
      if (fd >= 0) {
        Posix.close(fd);
      }
      return Optional.empty();
    }
    long size = status.size();
    long from = Math.max(0, size - STAGED_BYTES);
    long data = Posix.lseek(fd, from, Fcntl.SEEK_DATA);
    InputFile file = new InputFile(child, path, fd, size);
    if (data != -Errno.ENXIO && from < size) { // else nothing has been in it
      file.doubt = new Doubt(Math.max(from, data), size);
    }
    Posix.lseek(fd, size, Fcntl.SEEK_SET);
    child.keep(Child.INPUT, fd);
    return Optional.of(file);
  }

  private static InputFile keptBefore(Child child, String path, int fd) {
    long accepted = Math.max(0, Posix.lseek(fd, 0, Fcntl.SEEK_CUR));
    FileStatus status = Posix.status(fd);
    boolean exact =
        status != null && (status.permissions() & OWNER_READS_AND_WRITES) != OWNER_READS;
    long end = exact ? accepted : accepted + STAGED_BYTES;
    // What was staged and not taken was not answered either: whoever sent it sends it again.
    Posix.ftruncate(fd, end);
    InputFile file = new InputFile(child, path, fd, end);
    if (!exact) {
      Posix.lseek(fd, end, Fcntl.SEEK_SET);
      file.doubt = new Doubt(accepted, end);
      file.inexact = "splice was refused";
    }
    return file;
  }

  /// How much input the kernel has taken, at a moment at which nothing is staged.
  long position() {
    return end;
  }

  /// What may have been taken or not, since an earlier agent was killed; null where all is known.
  @Nullable Doubt doubt() {
    return doubt;
  }

  /// Why the kernel does not count; null while it does.
  @Nullable String inexact() {
    return inexact;
  }

  /// Hands over what follows the accepted input: as write(2) does, the number of bytes that were taken, or `-errno`.
  ///
  /// @param bytes at most [#STAGED_BYTES], direct; after a call that took only a part, or nothing, the rest comes again
  long write(ByteBuffer bytes, long accepted) {
    if (inexact != null) {
      return copied(bytes, accepted);
    }
    int from = bytes.position();
    int limit = bytes.limit();
    int staged = (int) (end - accepted);
    if (staged < limit - from) {
      long written = stage(bytes.position(from + staged));
      if (written < 0 && staged == 0) {
        giveUp(path + ": " + Errno.describe(written));
        return copied(bytes.position(from).limit(limit), accepted);
      }
      staged = (int) (end - accepted);
    }
    int input = child.inputFd();
    if (input < 0) {
      return -Errno.EBADF;
    }
    long taken =
        terminal
            ? Posix.sendfile(input, fd, staged)
            : Posix.splice(fd, input, staged, Fcntl.SPLICE_F_NONBLOCK);
    if (taken == -Errno.EINVAL) {
      giveUp("the kernel refuses to move input from a file");
      return copied(bytes.position(from).limit(limit), accepted);
    }
    if (taken > 0) {
      punch(accepted + taken, input);
    }
    return taken;
  }

  private long stage(ByteBuffer bytes) {
    while (bytes.hasRemaining()) {
      long written = Posix.pwrite(fd, bytes, end);
      if (written < 0) {
        return written;
      }
      end += written;
    }
    return 0;
  }

  /// The position follows each write instead of leading it, and the file says so.
  private void giveUp(String why) {
    inexact = "not counted by the kernel: " + why;
    Posix.fchmod(fd, OWNER_READS);
  }

  private long copied(ByteBuffer bytes, long accepted) {
    long taken = child.writeInput(bytes);
    if (taken > 0) {
      end = accepted + taken;
      Posix.lseek(fd, end, Fcntl.SEEK_SET);
    }
    return taken;
  }

  /// Gives back what the process has read for sure: the pipe holds the pages of what was taken last, and a hole in a large
  /// page would write zeros into the rest of it.
  private void punch(long accepted, int input) {
    if (accepted - punched < 2 * PUNCH_BYTES) {
      return;
    }
    int held = terminal ? 0 : Math.max(0, Posix.fcntl(input, Fcntl.F_GETPIPE_SZ, 0));
    long to = accepted - held;
    to -= to % PUNCH_BYTES;
    if (to > punched) {
      int result = Posix.punchHole(fd, punched, to - punched);
      if (result < 0) {
        giveUp("no holes can be made in " + path);
        return;
      }
      punched = to;
    }
  }

  /// What is staged is not wanted any more.
  void unstage(long accepted) {
    if (end > accepted && inexact == null) {
      Posix.ftruncate(fd, accepted);
      end = accepted;
    }
  }

  /// The process has ended. Its pages that are still in a pipe stay there.
  void remove() {
    Posix.close(fd);
    Posix.unlink(path);
  }
}
