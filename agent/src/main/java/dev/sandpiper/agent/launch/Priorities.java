package dev.sandpiper.agent.launch;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/// Makes a child the first to go when memory runs out, and an ordinary one for processor and disk, whatever the agent
/// itself has. Best effort: a container may forbid each of them, and the command runs all the same. Thread-safe.
///
/// The score for the out-of-memory killer is inherited, so the agent takes it for as long as a spawn lasts: the child has it from
/// its first instruction on, and so has whatever it starts. The file of a child's own would take three system calls and a directory entry
/// that its end has to remove, and would come too late for a child that forks at once.
final class Priorities {
  private static final int CHILD_OOM_SCORE = 100;
  private static final int NICE_ZERO = 20; // getpriority(2) answers 20 - nice
  private static final int IO_BEST_EFFORT_4 = 2 << 13 | 4; // ioprio_set(2)
  private static final String OWN = "/proc/self/oom_score_adj";

  private final AtomicLong failures = new AtomicLong();
  private final Optional<Integer> own = ownScore();
  private final boolean setNice;
  private final boolean setIo;
  private final ByteBuffer ownText;
  private final ByteBuffer childText = text(CHILD_OOM_SCORE);

  @GuardedBy("this")
  private int ownFd;

  @GuardedBy("this")
  private int holders;

  /// What children inherit from the agent as they should have it needs no call.
  Priorities() {
    setNice = Tasks.priority(0) != NICE_ZERO;
    setIo = Tasks.ioPriority(0) != 0;
    ownText = text(own.orElse(0));
    boolean differs = own.isPresent() && own.get() != CHILD_OOM_SCORE;
    ownFd = differs ? Posix.open(OWN, Fcntl.O_WRONLY | Fcntl.O_CLOEXEC, 0) : -1;
  }

  /// From here to [#giveBack] children get the score of a command. By a thread with the agent's own identity, as another might
  /// not be allowed to give it back. Several threads may be in between at once.
  synchronized void lend() {
    if (own.isPresent() && own.get() == CHILD_OOM_SCORE) {
      return;
    }
    if (ownFd < 0) {
      failures.incrementAndGet();
    } else if (holders++ == 0 && Posix.pwrite(ownFd, childText.rewind(), 0) < 0) {
      failures.incrementAndGet();
    }
  }

  synchronized void giveBack() {
    if (ownFd >= 0 && holders > 0 && --holders == 0) {
      Posix.pwrite(ownFd, ownText.rewind(), 0); // never below what it was, so never refused
    }
  }

  /// For a child that is not a command: it may have been made while commands were.
  synchronized void asAgent(int pid) {
    if (ownFd >= 0 && pid > 0) {
      int fd = Posix.open("/proc/" + pid + "/oom_score_adj", Fcntl.O_WRONLY | Fcntl.O_CLOEXEC, 0);
      if (fd >= 0) {
        Posix.write(fd, ownText.rewind());
        Posix.close(fd);
      }
    }
  }

  /// The rest, which is not inherited as it should be.
  void apply(int pid) {
    boolean done = !setNice || Tasks.setNice(pid, 0) == 0;
    done &= !setIo || Tasks.setIoPriority(pid, IO_BEST_EFFORT_4) == 0;
    if (!done && isRunning(pid)) {
      failures.incrementAndGet();
    }
  }

  /// Of a child that is over already the kernel says "permission denied"; nothing was missed.
  private static boolean isRunning(int pid) {
    return Tasks.waitid(Tasks.P_PID, pid, Tasks.WEXITED | Tasks.WNOHANG | Tasks.WNOWAIT) == null;
  }

  synchronized void close() {
    if (ownFd >= 0) {
      Posix.pwrite(ownFd, ownText.rewind(), 0); // whoever takes this agent's place begins with it
      Posix.close(ownFd);
      ownFd = -1;
    }
  }

  long failures() {
    return failures.get();
  }

  private static ByteBuffer text(int score) {
    byte[] digits = Integer.toString(score).getBytes(StandardCharsets.US_ASCII);
    return ByteBuffer.allocateDirect(digits.length).put(digits).flip();
  }

  /// Empty where it cannot be read: what cannot be given back is not changed either.
  private static Optional<Integer> ownScore() {
    try {
      return Optional.of(Integer.parseInt(Files.readString(Path.of(OWN)).strip()));
    } catch (IOException | NumberFormatException unknown) {
      return Optional.empty();
    }
  }
}
