package dev.sandpiper.agent.launch;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import dev.sandpiper.agent.posix.WaitStatus;
import java.nio.ByteBuffer;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A child of this agent. Its pid is its own until it is reaped, which is why signals and the reaping share a lock: a
/// signal is either sent before, or knows that the number may mean another process by now.
///
/// Under the lock are system calls that never block, and nothing else.
final class SpawnedChild implements Child {
  private final int pid;
  private final boolean hasPidfd;
  private final ChildDescriptors descriptors;
  private final ChildRegistry registry;

  /// What an earlier agent, of which this one took the place, had kept; null for a child of this agent's own making.
  private final Keeper.@Nullable Found found;

  /// Guards the right to use the pid.
  private final Object life = new Object();

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

  /// @param identity null where it has yet to be asked for
  SpawnedChild(
      int pid,
      @Nullable ProcessIdentity identity,
      int exitFd,
      boolean hasPidfd,
      ChildDescriptors descriptors,
      ChildRegistry registry,
      Keeper.@Nullable Found found) {
    this.found = found;
    this.pid = pid;
    this.identity = identity;
    this.exitFd = exitFd;
    this.hasPidfd = hasPidfd;
    this.descriptors = descriptors;
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
    return descriptors.output(this);
  }

  @Override
  public Map<String, String> facts() {
    return descriptors.facts();
  }

  @Override
  public int kept(String name) {
    return found == null ? -1 : found.take(name);
  }

  @Override
  public void keep(String name, int fd) {
    descriptors.keepNow(name, fd);
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
    return descriptors.inputFd();
  }

  @Override
  public long writeInput(ByteBuffer direct) {
    return descriptors.writeInput(direct);
  }

  @Override
  public void closeInput() {
    descriptors.closeInput(over);
  }

  @Override
  public int resize(PtySize size) {
    return descriptors.resize(size);
  }

  @Override
  public void outputDrained(String fifoKey) {
    descriptors.outputDrained(fifoKey);
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
    if (found != null) {
      found.closeRest();
    }
    descriptors.close();
  }

  @Override
  public String toString() {
    return "child " + pid;
  }
}
