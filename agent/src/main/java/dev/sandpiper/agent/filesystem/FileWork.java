package dev.sandpiper.agent.filesystem;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.accounts.Users;
import dev.sandpiper.agent.filesystem.FileFailure.Kind;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Tasks;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The threads on which everything that touches users' files runs, each task with the rights that its user is to have.
///
/// Without enforcement every task has the agent's own rights, as E2B's daemon works. With it, a task of another user runs
/// while its thread has that user's identity on files ([FileIdentity]); where the agent cannot lend it, the task is
/// refused. Callbacks always run under the agent's own.
///
/// Sixteen threads, started one by one when no other is idle, and ended after a minute without work: a call on a local
/// file holds one for microseconds, and more at once would only take turns at two processors and one disk. A thread
/// whose task has run for a second (a network mount that hangs, a large copy) counts as stuck and is replaced, up to 64
/// threads in all; so it takes 48 stuck calls before calls about other files have fewer than sixteen threads, and 64
/// before they wait. Platform threads: an identity belongs to a kernel thread, and a blocked file call holds one anyway.
///
/// Waiting tasks are bounded: the one beyond is refused with [Kind#LIMIT]. The last thread to go idle is the first to be
/// used again, so few calls keep few threads. Thread-safe.
public final class FileWork implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger("filesystem");

  private static final int THREADS = 16;
  private static final int THREADS_WITH_STUCK = 64;
  private static final long STUCK_NANOS = TimeUnit.SECONDS.toNanos(1);
  private static final long IDLE_NANOS = TimeUnit.MINUTES.toNanos(1);

  /// Tasks, not bytes: at 10 µs each 40 ms of work for one thread, and 0.5 MiB. One more is refused.
  private static final int WAITING = 4096;

  /// How long [#close] waits for what runs: a mount that hangs must not keep the agent from ending.
  private static final long CLOSE_NANOS = TimeUnit.SECONDS.toNanos(2);

  private static final long STACK_BYTES = 512 * 1024; // of address space; touched pages count

  private final Users users;
  private final boolean enforce;
  private final CachedFiles cached = new CachedFiles();
  private final int ownUid = Tasks.geteuid();
  private final int ownGid = Tasks.getegid();
  private final int[] ownGroups = Tasks.getgroups();

  private final Object lock = new Object();

  @GuardedBy("lock")
  private final ArrayDeque<Work<?>> waiting = new ArrayDeque<>();

  @GuardedBy("lock")
  private final ArrayDeque<Worker> idle = new ArrayDeque<>();

  @GuardedBy("lock")
  private final List<Worker> workers = new ArrayList<>();

  /// Whether [#relieve] runs.
  @GuardedBy("lock")
  private boolean relieving;

  @GuardedBy("lock")
  private boolean closed;

  private record Work<T>(User user, FileTask<T> task, FileCallback<T> callback) {}

  /// Starts nothing yet.
  ///
  /// @param enforce whether tasks have their user's rights instead of the agent's
  public FileWork(Users users, boolean enforce) {
    this.users = users;
    this.enforce = enforce;
  }

  /// Whether what a task of this user makes belongs to the agent at first, and is to be given to the user.
  public boolean mustGiveAway(User user) {
    return !switches(user) && (user.uid() != ownUid || user.gid() != ownGid);
  }

  /// Whether tasks of this user run under an identity that is not the agent's.
  public boolean switches(User user) {
    return enforce && user.uid() != ownUid;
  }

  /// Opens a file for reading, or as `O_PATH`, on the calling thread, which never waits for it: a descriptor, or `-errno`
  /// where that cannot be promised, where the user's rights are not the agent's, or where there is no such file. A task says
  /// which.
  int openCached(User user, String path, int flags) {
    return switches(user) ? -Errno.EPERM : cached.open(path, flags);
  }

  /// Runs the task, now or when a thread is free. Any thread; does not block.
  public <T> void submit(User user, FileTask<T> task, FileCallback<T> callback) {
    if (switches(user) && !users.canSwitch()) {
      callback.failed(
          new FileFailure(
              Kind.DENIED,
              Errno.EPERM,
              "--enforce-user-permissions is on, and the agent, which runs as uid "
                  + Integer.toUnsignedString(ownUid)
                  + ", may not act as user '"
                  + user.name()
                  + "': it needs root with CAP_SETUID and CAP_SETGID"));
      return;
    }
    Work<T> work = new Work<>(user, task, callback);
    FileFailure refusal = accept(work);
    if (refusal != null) {
      callback.failed(refusal);
    }
  }

  private @Nullable FileFailure accept(Work<?> work) {
    Worker free;
    Worker started = null;
    boolean relieve = false;
    synchronized (lock) {
      if (closed) {
        return stopping();
      }
      free = idle.pollLast();
      if (free != null) {
        free.began = System.nanoTime();
        free.next = work;
      } else if (!mayStart()) {
        if (waiting.size() >= WAITING) {
          return new FileFailure(
              Kind.LIMIT,
              0,
              "too many file operations at once: " + WAITING + " are waiting already");
        }
        waiting.add(work);
        relieve = !relieving;
        relieving = true;
      } else {
        waiting.add(work); // behind those that wait, if the new thread replaces a stuck one
        started = new Worker(waiting.remove());
        workers.add(started);
      }
    }
    if (free != null) {
      LockSupport.unpark(free.thread);
    } else if (started != null) {
      started.thread.start();
    } else if (relieve) {
      Thread.ofPlatform().name("files-relief").daemon().stackSize(STACK_BYTES).start(this::relieve);
    }
    return null;
  }

  /// While tasks wait, looks once a second whether a stuck thread is to be replaced: nobody else may come who would.
  private void relieve() {
    while (true) {
      LockSupport.parkNanos(this, STUCK_NANOS);
      Worker started = null;
      synchronized (lock) {
        if (waiting.isEmpty() || closed) {
          relieving = false;
          return;
        }
        if (mayStart()) {
          started = new Worker(waiting.remove());
          workers.add(started);
        }
      }
      if (started != null) {
        started.thread.start();
      }
    }
  }

  private static FileFailure stopping() {
    return new FileFailure(Kind.STOPPING, 0, "the agent is stopping");
  }

  @GuardedBy("lock")
  private boolean mayStart() {
    if (workers.size() < THREADS) {
      return true;
    }
    if (workers.size() >= THREADS_WITH_STUCK) {
      return false;
    }
    long now = System.nanoTime();
    int stuck = 0;
    for (Worker worker : workers) {
      if (now - worker.began > STUCK_NANOS) {
        stuck++;
      }
    }
    return workers.size() - stuck < THREADS;
  }

  /// Refuses what is new, fails what waits, and gives what runs two seconds. May be called twice, from any thread.
  @Override
  public void close() {
    List<Work<?>> never;
    List<Worker> running;
    synchronized (lock) {
      closed = true;
      never = List.copyOf(waiting);
      waiting.clear();
      running = List.copyOf(workers);
      idle.forEach(worker -> LockSupport.unpark(worker.thread));
    }
    never.forEach(work -> work.callback.failed(stopping()));
    long until = System.nanoTime() + CLOSE_NANOS;
    for (Worker worker : running) {
      long left = until - System.nanoTime();
      try {
        worker.thread.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(left)));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }

  /// How many threads there are now: for tests.
  int threads() {
    synchronized (lock) {
      return workers.size();
    }
  }

  private final class Worker implements Runnable {
    final Thread thread =
        Thread.ofPlatform().name("files").daemon().stackSize(STACK_BYTES).unstarted(this);

    /// What was handed to it while it was idle. Set under the lock, before it is woken.
    volatile @Nullable Work<?> next;

    /// When its task began.
    volatile long began = System.nanoTime();

    private @Nullable FileIdentity identity;

    Worker(Work<?> first) {
      next = first;
    }

    @Override
    public void run() {
      boolean itself = true;
      if (enforce && users.canSwitch()) {
        FileIdentity lent = new FileIdentity(ownUid, ownGid, ownGroups);
        identity = lent;
        itself = restored(lent); // whoever started this thread may have been lent one
      }
      Work<?> work = next;
      while (work != null && itself) {
        began = System.nanoTime();
        itself = execute(work);
        work = itself ? take() : null;
      }
      leave(work);
    }

    private @Nullable Work<?> take() {
      next = null;
      synchronized (lock) {
        Work<?> work = waiting.poll();
        if (work != null) {
          return work;
        }
        if (closed) {
          return null;
        }
        idle.addLast(this);
      }
      long until = System.nanoTime() + IDLE_NANOS;
      while (true) {
        Work<?> work = next;
        if (work != null) {
          return work;
        }
        long left = until - System.nanoTime();
        synchronized (lock) {
          if ((left <= 0 || closed) && idle.remove(this)) {
            return null;
          }
        }
        LockSupport.parkNanos(FileWork.this, left);
      }
    }

    /// @param work what this thread was started for and cannot do
    private void leave(@Nullable Work<?> work) {
      List<Work<?>> lost = new ArrayList<>();
      if (work != null) {
        lost.add(work);
      }
      synchronized (lock) {
        workers.remove(this);
        if (workers.isEmpty()) { // only where it ended for its identity can something wait
          lost.addAll(waiting);
          waiting.clear();
        }
      }
      lost.forEach(each ->
          each.callback.failed(
              new FileFailure(
                  Kind.OTHER, Errno.EPERM, "the agent has lost its identity on a thread")));
    }

    /// False where the thread has lost its identity.
    private <T> boolean execute(Work<T> work) {
      FileIdentity lent = identity;
      if (lent == null || !switches(work.user)) {
        Outcome<T> outcome = attempt(work.task);
        tell(work, outcome);
        return true;
      }
      int error = lent.take(work.user);
      Outcome<T> outcome =
          error < 0
              ? new Outcome<>(
                  null, FileFailure.of(error, "setfsuid to user", "'" + work.user.name() + "'"))
              : attempt(work.task);
      boolean itself = restored(lent);
      tell(work, outcome);
      return itself;
    }

    private boolean restored(FileIdentity lent) {
      int error = lent.giveBack();
      if (error < 0) {
        log.error(
            "a thread for files could not take back the agent's identity ({}) and is ended",
            Errno.describe(error));
      }
      return error == 0;
    }
  }

  /// One of the two is there.
  private record Outcome<T>(@Nullable T result, @Nullable FileFailure failure) {}

  private static <T> Outcome<T> attempt(FileTask<T> task) {
    try {
      return new Outcome<>(Objects.requireNonNull(task.run(), "a file task answered null"), null);
    } catch (FileFailure failure) {
      return new Outcome<>(null, failure);
    } catch (RuntimeException | Error defect) {
      log.error("a file operation failed", defect);
      return new Outcome<>(null, new FileFailure(Kind.OTHER, 0, "internal error"));
    }
  }

  private static <T> void tell(Work<T> work, Outcome<T> outcome) {
    try {
      if (outcome.result != null) {
        work.callback.done(outcome.result);
      } else if (outcome.failure != null) {
        work.callback.failed(outcome.failure);
      }
    } catch (RuntimeException | Error defect) {
      log.error("the answer of a file operation was not taken", defect); // the thread goes on
    }
  }
}
