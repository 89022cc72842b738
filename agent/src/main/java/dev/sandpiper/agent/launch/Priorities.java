package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;

/// Makes a child the first to go when memory runs out, and an ordinary one for processor and disk, whatever the agent
/// itself has. Best effort: a container may forbid each of them, and the command runs all the same. Thread-safe.
final class Priorities {
  private static final int CHILD_OOM_SCORE = 100;
  private static final int NICE_ZERO = 20; // getpriority(2) answers 20 - nice
  private static final int IO_BEST_EFFORT_4 = 2 << 13 | 4; // ioprio_set(2)

  private static final ThreadLocal<ByteBuffer> SCORE =
      ThreadLocal.withInitial(() ->
          ByteBuffer.allocateDirect(4)
              .put(Integer.toString(CHILD_OOM_SCORE).getBytes(StandardCharsets.US_ASCII))
              .flip());

  private final AtomicLong failures = new AtomicLong();
  private final boolean setScore;
  private final boolean setNice;
  private final boolean setIo;

  /// What children inherit from the agent as they should have it needs no call.
  Priorities() {
    setScore = ownScore() != CHILD_OOM_SCORE;
    setNice = Tasks.priority(0) != NICE_ZERO;
    setIo = Tasks.ioPriority(0) != 0;
  }

  void apply(int pid) {
    boolean done = !setScore || writeScore(pid);
    done &= !setNice || Tasks.setNice(pid, 0) == 0;
    done &= !setIo || Tasks.setIoPriority(pid, IO_BEST_EFFORT_4) == 0;
    if (!done && isRunning(pid)) {
      failures.incrementAndGet();
    }
  }

  /// Of a child that is over already the kernel says "permission denied"; nothing was missed.
  private static boolean isRunning(int pid) {
    return Tasks.waitid(Tasks.P_PID, pid, Tasks.WEXITED | Tasks.WNOHANG | Tasks.WNOWAIT) == null;
  }

  long failures() {
    return failures.get();
  }

  private static boolean writeScore(int pid) {
    int fd = Posix.open("/proc/" + pid + "/oom_score_adj", Fcntl.O_WRONLY | Fcntl.O_CLOEXEC, 0);
    if (fd < 0) {
      return false;
    }
    long written = Posix.write(fd, SCORE.get().rewind());
    Posix.close(fd);
    return written > 0;
  }

  private static int ownScore() {
    try {
      return Integer.parseInt(Files.readString(Path.of("/proc/self/oom_score_adj")).strip());
    } catch (IOException | NumberFormatException unknown) {
      return Integer.MIN_VALUE; // then each child's is written, and failures are counted
    }
  }
}
