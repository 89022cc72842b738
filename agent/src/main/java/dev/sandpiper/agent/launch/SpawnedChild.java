package dev.sandpiper.agent.launch;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import dev.sandpiper.agent.posix.Terminals;
import dev.sandpiper.agent.posix.WaitStatus;
import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// A child of this agent. Its pid is its own until it is reaped, which is why signals and the reaping share a lock: a
/// signal is either sent before, or knows that the number may mean another process by now.
///
/// Under the locks are system calls that never block, and nothing else. Neither lock is taken inside the other.
final class SpawnedChild implements Child {
  private final int pid;
  private final boolean hasPidfd;
  private final Map<String, String> facts;
  private final FifoPool fifos;
  private final ChildRegistry registry;
  private final boolean terminal;
  private final Set<String> retired = Collections.synchronizedSet(new HashSet<>(4));

  /// Guards the right to use the pid.
  private final Object life = new Object();

  /// Guards the descriptors, so that none is used after it was closed.
  private final Object descriptors = new Object();

  @GuardedBy("life")
  private @Nullable ProcessIdentity identity;

  @GuardedBy("life")
  private @Nullable Exit exit;

  /// An exit was seen; read without the lock, where it only saves work.
  private volatile boolean over;

  @GuardedBy("life")
  private @Nullable Usage usage;

  @GuardedBy("life")
  private boolean reaped;

  @GuardedBy("life")
  private int exitFd;

  /// Null once it was handed over.
  @GuardedBy("descriptors")
  private @Nullable ChildOutput output;

  /// The stdin pipe, or a duplicate of the master; -1 when closed.
  @GuardedBy("descriptors")
  private int inputFd;

  @GuardedBy("descriptors")
  private boolean inputClosed;

  SpawnedChild(
      int pid,
      int exitFd,
      boolean hasPidfd,
      ChildStreams streams,
      Map<String, String> facts,
      FifoPool fifos,
      ChildRegistry registry) {
    this.pid = pid;
    this.exitFd = exitFd;
    this.hasPidfd = hasPidfd;
    this.output = streams.output();
    this.inputFd = streams.inputFd();
    this.terminal = streams.output() instanceof ChildOutput.Terminal;
    this.facts = facts;
    this.fifos = fifos;
    this.registry = registry;
  }

  @Override
  public int pid() {
    return pid;
  }

  @Override
  public ProcessIdentity identity() {
    synchronized (life) {
      ProcessIdentity known = identity;
      if (known == null) {
        known = ProcStat.identity(pid); // not reaped yet, else reap() would have read it
        identity = known;
      }
      return known;
    }
  }

  @Override
  public int pidfd() {
    synchronized (life) {
      return exitFd;
    }
  }

  @Override
  public ChildOutput output() {
    synchronized (descriptors) {
      ChildOutput taken = output;
      if (taken == null) {
        throw new IllegalStateException("the output of pid " + pid + " has been taken already");
      }
      output = null;
      return taken;
    }
  }

  @Override
  public Map<String, String> facts() {
    return facts;
  }

  @Override
  public @Nullable Exit peekExit() {
    synchronized (life) {
      if (exit == null) {
        exit = exitOf(wait(Tasks.WEXITED | Tasks.WNOHANG | Tasks.WNOWAIT));
        over = exit != null;
      }
      return exit;
    }
  }

  @Override
  public Exit reap() {
    synchronized (life) {
      Exit known = peekExit();
      if (known == null) {
        throw new IllegalStateException("pid " + pid + " still runs and cannot be reaped");
      }
      if (!reaped) {
        identity(); // the last moment at which it can be read
        WaitStatus status = wait(Tasks.WEXITED | Tasks.WNOHANG);
        if (status != null && status.error() == 0) {
          usage = new Usage(status.userMicros(), status.systemMicros(), status.peakKib());
        }
        reaped = true;
        registry.remove(pid);
      }
      return known;
    }
  }

  private @Nullable WaitStatus wait(int options) {
    return Tasks.waitid(Tasks.P_PID, pid, options);
  }

  private static @Nullable Exit exitOf(@Nullable WaitStatus status) {
    if (status == null) {
      return null;
    }
    if (status.error() < 0) {
      return new Exit.Lost(
          "the kernel no longer has the exit status: " + Errno.describe(status.error()));
    }
    return switch (status.code()) {
      case WaitStatus.EXITED -> new Exit.Exited(status.status());
      case WaitStatus.KILLED -> new Exit.Signaled(status.status(), false);
      case WaitStatus.DUMPED -> new Exit.Signaled(status.status(), true);
      default -> new Exit.Lost("the kernel reported an unknown kind of exit: " + status.code());
    };
  }

  @Override
  public @Nullable Usage usage() {
    synchronized (life) {
      return usage;
    }
  }

  @Override
  public int signal(int signal, Scope scope) {
    synchronized (life) {
      if (!reaped) {
        // Running or a zombie: pid and group number are this child's.
        return Tasks.kill(scope == Scope.GROUP ? -pid : pid, signal);
      }
      if (scope == Scope.LEADER || !hasPidfd || exitFd < 0) {
        return -Errno.ESRCH;
      }
      // The pidfd means this very group, whatever the number means by now (Linux 6.9; EINVAL
      // before).
      int result = Tasks.pidfdSendSignal(exitFd, signal, Tasks.PIDFD_SIGNAL_PROCESS_GROUP);
      return result == -Errno.EINVAL ? -Errno.ESRCH : result;
    }
  }

  @Override
  public int inputFd() {
    synchronized (descriptors) {
      return inputClosed ? -1 : inputFd;
    }
  }

  @Override
  public long writeInput(ByteBuffer direct) {
    synchronized (descriptors) {
      return inputClosed || inputFd < 0 ? -Errno.EBADF : Posix.write(inputFd, direct);
    }
  }

  @Override
  public void closeInput() {
    String path = facts.get(FIFO_STDIN);
    if (endInput() && path != null && !over) { // else close() does it, soon
      fifos.retireInput(path, true);
    }
  }

  private boolean endInput() {
    synchronized (descriptors) {
      boolean first = !inputClosed;
      inputClosed = true;
      if (first && !terminal) { // a terminal's duplicate is still wanted for its size
        closeInputFd();
      }
      return first;
    }
  }

  @GuardedBy("descriptors")
  private void closeInputFd() {
    if (inputFd >= 0) {
      Posix.close(inputFd);
      inputFd = -1;
    }
  }

  @Override
  public int resize(PtySize size) {
    synchronized (descriptors) {
      if (!terminal) {
        return -Errno.ENOTTY;
      }
      return inputFd < 0 ? -Errno.EBADF : Terminals.setSize(inputFd, size.columns(), size.rows());
    }
  }

  @Override
  public void outputDrained(String fifoKey) {
    String path = facts.get(fifoKey);
    if (path == null || !retired.add(fifoKey)) {
      return;
    }
    if (fifoKey.equals(FIFO_STDIN)) {
      fifos.retireInput(path, false); // a background child may still open it
    } else {
      fifos.retire(path);
    }
  }

  @Override
  public void close() {
    synchronized (life) {
      if (peekExit() != null) {
        reap();
      }
      if (exitFd >= 0) {
        Posix.close(exitFd);
        exitFd = -1;
      }
    }
    endInput();
    ChildOutput left;
    synchronized (descriptors) {
      closeInputFd();
      left = output;
      output = null;
    }
    switch (left) {
      case null -> {} // taken, and closed by whoever took it
      case ChildOutput.Pipes(int stdout, int stderr) -> closeAll(stdout, stderr);
      case ChildOutput.Terminal(int master, int read, int write) -> closeAll(master, read, write);
    }
    outputDrained(FIFO_STDIN);
    outputDrained(FIFO_STDOUT);
    outputDrained(FIFO_STDERR);
    outputDrained(FIFO_PTY);
  }

  private static void closeAll(int... fds) {
    for (int fd : fds) {
      Posix.close(fd);
    }
  }

  @Override
  public String toString() {
    return "child " + pid;
  }
}
