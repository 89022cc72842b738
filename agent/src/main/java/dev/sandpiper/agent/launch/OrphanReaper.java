package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Tasks;
import dev.sandpiper.agent.posix.WaitStatus;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/// Collects what others left behind, where the agent is process 1 or a subreaper.
///
/// One thread blocks until any child has exited, looks without collecting (`WNOWAIT`), and collects only what is not
/// listed as ours: statuses of our own children are never touched. While an exited child of ours waits for its owner, it
/// is what the kernel shows first, so the thread looks again after a pause instead of at once.
final class OrphanReaper implements AutoCloseable {
  /// At most 20 looks a second while our own children come and go; an orphan waits no longer than that for nothing.
  private static final long PAUSE_NANOS = 50_000_000;

  /// Without any child there is nothing to block on; orphans can still come from outside (`docker exec`).
  private static final long IDLE_NANOS = 1_000_000_000;

  private final ChildRegistry registry;
  private final AtomicLong reaped = new AtomicLong();
  private final Thread thread;
  private volatile boolean closed;

  OrphanReaper(ChildRegistry registry) {
    this.registry = registry;
    thread = Thread.ofPlatform().name("orphan-reaper").daemon().unstarted(this::run);
    thread.start();
  }

  static boolean isNeeded() {
    return Tasks.getpid() == 1 || Tasks.isSubreaper();
  }

  long reaped() {
    return reaped.get();
  }

  private void run() {
    while (!closed) {
      WaitStatus exited = Tasks.waitid(Tasks.P_ALL, 0, Tasks.WEXITED | Tasks.WNOWAIT);
      if (closed) {
        return; // whoever comes after may have children that are not in this list
      }
      if (exited == null || exited.error() < 0) {
        boolean nobody = exited != null && exited.error() == -Errno.ECHILD;
        LockSupport.parkNanos(this, nobody ? IDLE_NANOS : PAUSE_NANOS);
      } else if (registry.unlessOurs(exited.pid(), () -> collect(exited.pid()))) {
        LockSupport.parkNanos(this, PAUSE_NANOS);
      }
    }
  }

  private void collect(int pid) {
    WaitStatus collected = Tasks.waitid(Tasks.P_PID, pid, Tasks.WEXITED | Tasks.WNOHANG);
    if (collected != null && collected.error() == 0) {
      reaped.incrementAndGet();
    }
  }

  /// Does not wait: the thread is a daemon and may be inside a call that ends with the next exit.
  @Override
  public void close() {
    closed = true;
    LockSupport.unpark(thread);
  }
}
