package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Tasks;
import dev.sandpiper.agent.posix.WaitStatus;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/// Collects what others left behind, where the agent is process 1 or a subreaper.
///
/// One thread blocks until any child has exited, looks without collecting (`WNOWAIT`), and collects only what is not
/// listed as ours: statuses of our own children are never touched. While an exited child of ours waits for its owner, it
/// is what the kernel shows first, so the thread looks again after a pause instead of at once; where that goes on for two
/// seconds it goes through the list of children.
///
/// A subreaper without children has no descendants either, so the thread is there from the first spawn on, or from the
/// beginning where there are children already, and sleeps while there are none. Process 1 can be given others' at any time
/// (`docker exec`) and looks once a second.
final class OrphanReaper implements AutoCloseable {
  /// At most 20 looks a second while our own children come and go; an orphan waits no longer than that for nothing.
  private static final long PAUSE_NANOS = 50_000_000;

  private static final int PAUSES_BEFORE_A_LIST = 40;

  /// Without any child there is nothing to block on.
  private static final long IDLE_NANOS = 1_000_000_000;

  private static final String THREADS = "/proc/self/task";

  private final ChildRegistry registry;
  private final AtomicLong reaped = new AtomicLong();
  private final boolean first = Tasks.getpid() == 1;
  private final Thread thread;
  private final AtomicBoolean started = new AtomicBoolean();
  private volatile boolean childless;
  private volatile boolean closed;

  OrphanReaper(ChildRegistry registry) {
    this.registry = registry;
    thread = Thread.ofPlatform().name("orphan-reaper").daemon().unstarted(this::run);
    WaitStatus now = Tasks.waitid(Tasks.P_ALL, 0, Tasks.WEXITED | Tasks.WNOHANG | Tasks.WNOWAIT);
    if (first || now == null || now.error() != -Errno.ECHILD) {
      wake();
    }
  }

  /// There is a child.
  void wake() {
    if (!started.get() && started.compareAndSet(false, true)) {
      thread.start();
    } else if (childless) {
      LockSupport.unpark(thread);
    }
  }

  static boolean isNeeded() {
    return Tasks.getpid() == 1 || Tasks.isSubreaper();
  }

  long reaped() {
    return reaped.get();
  }

  private void run() {
    int pauses = 0;
    while (!closed) {
      WaitStatus exited = Tasks.waitid(Tasks.P_ALL, 0, Tasks.WEXITED | Tasks.WNOWAIT);
      boolean nobody = exited != null && exited.error() == -Errno.ECHILD;
      if (closed) {
        return; // whoever comes after may have children that are not in this list
      }
      if (exited == null || exited.error() < 0) {
        pause(nobody);
      } else if (registry.unlessOurs(exited.pid(), () -> collect(exited.pid()))) {
        if (++pauses == PAUSES_BEFORE_A_LIST) {
          pauses = 0;
          collectListed();
        }
        LockSupport.parkNanos(this, PAUSE_NANOS);
      } else {
        pauses = 0;
      }
    }
  }

  /// The kernel keeps a list for each thread (`CONFIG_PROC_CHILDREN`; without it they wait until ours are collected).
  private void collectListed() {
    String[] threads = new File(THREADS).list();
    for (String thread : threads == null ? new String[0] : threads) {
      try {
        String children = Files.readString(Path.of(THREADS, thread, "children"));
        for (String child : children.split(" ", -1)) {
          if (!child.isBlank()) {
            int pid = Integer.parseInt(child.strip());
            registry.unlessOurs(pid, () -> collect(pid)); // of one that runs it collects nothing
          }
        }
      } catch (IOException ended) {
        // This thread has; its children have gone to another.
      }
    }
  }

  /// `childless` is set before a last look, and a spawn comes before its {@link #wake}: one of the two sees the other.
  private void pause(boolean nobody) {
    if (!nobody || first) {
      childless = false;
      LockSupport.parkNanos(this, nobody ? IDLE_NANOS : PAUSE_NANOS);
    } else if (childless) {
      LockSupport.park(this);
      childless = false;
    } else {
      childless = true;
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
