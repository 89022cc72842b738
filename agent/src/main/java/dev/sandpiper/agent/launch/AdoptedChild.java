package dev.sandpiper.agent.launch;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import java.nio.ByteBuffer;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A process that an earlier agent started, and that somebody else collects: init, or the nearest subreaper.
///
/// What it is signalled by and watched with is a pidfd of exactly this process. Its exit status is what the kernel tells of a
/// collected process by that pidfd (Linux 6.15), or `/proc/PID/stat` before it is collected, if the kernel would not lie there
/// (without the right to trace a process it shows 0). Otherwise it is lost; nothing is guessed.
final class AdoptedChild implements Child {
  /// How long the status of an exited process may take to be known: its parent has to collect it.
  private static final long PATIENCE_NANOS = 2_000_000_000;

  private static final int SIGNAL_MASK = 0x7f;
  private static final int CORE_DUMPED = 0x80;

  private final ProcessIdentity identity;
  private final boolean hasPidfd;
  private final ChildDescriptors descriptors;
  private final Keeper.Found found;
  private final Object life = new Object();

  @GuardedBy("life")
  private int exitFd;

  @GuardedBy("life")
  private @Nullable Exit exit;

  @GuardedBy("life")
  private long seenNanos;

  private volatile boolean over;

  /// @param exitFd a pidfd of this process, or something readable where `exit` is known already
  /// @param exit how it ended while nobody looked; null where the pidfd tells
  AdoptedChild(
      ProcessIdentity identity,
      int exitFd,
      @Nullable Exit exit,
      ChildDescriptors descriptors,
      Keeper.Found found) {
    this.identity = identity;
    this.exitFd = exitFd;
    this.hasPidfd = exit == null;
    this.exit = exit;
    this.over = exit != null;
    this.descriptors = descriptors;
    this.found = found;
  }

  @Override
  public int pid() {
    return identity.pid();
  }

  @Override
  public ProcessIdentity identity() {
    return identity;
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
  public void keep(String name, int fd) {
    descriptors.keepNow(name, fd);
  }

  @Override
  public int kept(String name) {
    return found.take(name);
  }

  @Override
  public Map<String, String> facts() {
    return descriptors.facts();
  }

  @Override
  public @Nullable Exit peekExit() {
    synchronized (life) {
      if (exit == null && exitFd >= 0 && Posix.poll(exitFd, Posix.POLLIN) > 0) {
        exit = exitStatus();
        over = exit != null;
      }
      return exit;
    }
  }

  /// Null where it may still become known.
  @GuardedBy("life")
  private @Nullable Exit exitStatus() {
    int status = Tasks.exitStatusOf(exitFd);
    if (status >= 0) {
      return decode(status);
    }
    Exit uncollected = uncollected(identity);
    if (uncollected != null) {
      return uncollected;
    }
    long now = System.nanoTime();
    seenNanos = seenNanos == 0 ? now : seenNanos;
    boolean mayCome = status == -Errno.EAGAIN && now - seenNanos < PATIENCE_NANOS;
    return mayCome
        ? null
        : new Exit.Lost(
            status == -Errno.EAGAIN
                ? "its parent did not collect it, and the agent may not look into it"
                : "it was collected by its parent, and the kernel does not remember exit statuses");
  }

  /// The status of a process that has exited and was not collected, if that can be known for sure; null otherwise.
  static @Nullable Exit uncollected(ProcessIdentity identity) {
    int pid = identity.pid();
    ProcStat.Stat stat = ProcStat.read(pid);
    if (stat == null || stat.startTicks() != identity.startTicks() || stat.state() != 'Z') {
      return null;
    }
    if (!Tasks.mayLookInto(pid)) {
      return null;
    }
    // The right first and then the status: were it collected in between, this is another process or
    // none.
    ProcStat.Stat told = ProcStat.read(pid);
    return told == null || told.startTicks() != identity.startTicks() || told.state() != 'Z'
        ? null
        : decode(told.exitStatus());
  }

  private static Exit decode(int status) {
    int signal = status & SIGNAL_MASK;
    return signal == 0
        ? new Exit.Exited(status >> 8 & 0xFF)
        : new Exit.Signaled(signal, (status & CORE_DUMPED) != 0);
  }

  @Override
  public Exit reap() {
    Exit known = peekExit();
    if (known == null) {
      throw new IllegalStateException("pid " + pid() + " still runs");
    }
    return known;
  }

  @Override
  public @Nullable Usage usage() {
    return null; // only a parent is told
  }

  @Override
  public int signal(int signal, Scope scope) {
    synchronized (life) {
      if (!hasPidfd || exitFd < 0) {
        return -Errno.ESRCH;
      }
      if (scope == Scope.LEADER) {
        return Tasks.pidfdSendSignal(exitFd, signal, 0);
      }
      int result = Tasks.pidfdSendSignal(exitFd, signal, Tasks.PIDFD_SIGNAL_PROCESS_GROUP);
      if (result != -Errno.EINVAL) {
        return result;
      }
      // Before Linux 6.9: as long as the leader is there, be it exited, the number is its group's.
      return ProcStat.startTicks(pid()) == identity.startTicks()
          ? Tasks.kill(-pid(), signal)
          : -Errno.ESRCH;
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
      if (exitFd >= 0) {
        Posix.close(exitFd);
        exitFd = -1;
      }
    }
    found.closeRest();
    descriptors.close();
  }

  @Override
  public String toString() {
    return "adopted process " + pid();
  }
}
