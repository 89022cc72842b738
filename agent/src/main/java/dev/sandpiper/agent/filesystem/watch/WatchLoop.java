package dev.sandpiper.agent.filesystem.watch;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.filesystem.watch.TreeWatch.Progress;
import dev.sandpiper.agent.posix.Epoll;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.InotifyReader;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The thread that serves all watches, in turns. It starts with the first, waits in epoll(7) while nothing happens, and
/// ends when there is none.
///
/// A watch whose user's rights are enforced has its turns on a thread that can take that user's identity ([Turns]); this one
/// only waits for it.
final class WatchLoop {
  private static final Logger log = LoggerFactory.getLogger("watch");

  /// Runs turns elsewhere.
  @FunctionalInterface
  interface Turns {
    /// Does one turn of a watch and hands the outcome to `then`, on any thread.
    void run(TreeWatch watch, Outcome then);
  }

  /// What a turn led to.
  @FunctionalInterface
  interface Outcome {
    void is(Progress progress, @Nullable WatchFailure failure);
  }

  /// Something that is to be done at a time.
  record Timer(long due, Runnable action) {}

  /// A watch and where it stands. The loop's own.
  private static final class Member {
    final TreeWatch tree;
    final DirectoryWatch handle;
    final @Nullable Turns elsewhere;
    final Runnable whenGone;
    boolean ready;
    boolean busy;
    boolean again;
    boolean gone;

    Member(TreeWatch tree, DirectoryWatch handle, @Nullable Turns elsewhere, Runnable whenGone) {
      this.tree = tree;
      this.handle = handle;
      this.elsewhere = elsewhere;
      this.whenGone = whenGone;
    }
  }

  private final Object lock = new Object();

  /// One for each watch that begins or ends and each turn done elsewhere, so their number is bounded by that of watches.
  @GuardedBy("lock")
  private final Deque<Runnable> tasks = new ArrayDeque<>();

  @GuardedBy("lock")
  private @Nullable Thread thread;

  @GuardedBy("lock")
  private @Nullable Epoll wakeable;

  private final Map<Integer, Member> members = new HashMap<>(); // by descriptor
  private final Deque<Member> ready = new ArrayDeque<>();
  private final PriorityQueue<Timer> timers =
      new PriorityQueue<>(
          Comparator.comparingLong(timer -> timer.due - EPOCH)); // nanoTime may be negative

  private static final long EPOCH = System.nanoTime();

  private @Nullable Epoll waits; // the thread's own

  /// Serves a watch until it is over. Any thread.
  ///
  /// @param elsewhere null for turns on the loop's own thread
  /// @param gone called when the watch has let go of everything
  void add(TreeWatch tree, DirectoryWatch handle, @Nullable Turns elsewhere, Runnable gone) {
    Member member = new Member(tree, handle, elsewhere, gone);
    execute(() -> begin(member));
    handle.onClose(() -> execute(() -> end(member)));
  }

  /// Runs something on the loop's thread after a time. Any thread.
  Timer after(long nanos, Runnable action) {
    Timer timer = new Timer(System.nanoTime() + nanos, action);
    execute(() -> timers.add(timer));
    return timer;
  }

  /// Takes back what [#after] was told. Any thread.
  void cancel(Timer timer) {
    execute(() -> timers.remove(timer));
  }

  /// Runs something on the loop's thread. Any thread.
  void execute(Runnable task) {
    synchronized (lock) {
      tasks.add(task);
      if (thread == null) {
        thread = Thread.ofPlatform().name("watches").daemon().start(this::run);
      } else if (wakeable != null) {
        wakeable.wake();
      }
    }
  }

  /// Whether there is a thread: for tests.
  boolean running() {
    synchronized (lock) {
      return thread != null;
    }
  }

  private void run() {
    try (Epoll epoll = Epoll.open();
        InotifyReader reader = new InotifyReader()) {
      synchronized (lock) {
        wakeable = epoll;
      }
      waits = epoll;
      while (serve(epoll, reader)) {}
    } catch (RuntimeException | Error failure) {
      log.error("the thread of watches has failed", failure);
      abandon(failure);
    }
  }

  /// One round; false where nothing is left to serve.
  private boolean serve(Epoll epoll, InotifyReader reader) {
    runTasks();
    long now = System.nanoTime();
    for (Timer due = timers.peek(); due != null && due.due - now <= 0; due = timers.peek()) {
      timers.remove();
      due.action.run();
    }
    for (int turns = ready.size(); turns > 0; turns--) {
      turn(ready.remove(), reader);
    }
    synchronized (lock) {
      if (tasks.isEmpty() && members.isEmpty() && timers.isEmpty()) {
        wakeable = null;
        thread = null;
        return false;
      }
      if (!tasks.isEmpty()) {
        return true;
      }
    }
    int found = epoll.await(ready.isEmpty() ? timeout() : 0);
    for (int i = 0; i < found; i++) {
      Member member = members.get(epoll.ready(i));
      if (member != null) {
        ready(member);
      }
    }
    return true;
  }

  private void runTasks() {
    while (true) {
      Runnable task;
      synchronized (lock) {
        task = tasks.poll();
      }
      if (task == null) {
        return;
      }
      task.run();
    }
  }

  private int timeout() {
    Timer timer = timers.peek();
    return timer == null
        ? -1
        : Math.clamp(TimeUnit.NANOSECONDS.toMillis(timer.due - System.nanoTime()) + 1, 0, 1 << 30);
  }

  private void begin(Member member) {
    if (member.gone || waits == null) {
      return;
    }
    int fd = member.tree.inotify();
    int added = waits.add(fd);
    if (added < 0) {
      member.handle.fail(
          new WatchFailure(
              WatchFailure.Kind.FAILED,
              "error creating watcher: waiting for events: " + Errno.describe(added)));
      end(member);
      return;
    }
    members.put(fd, member);
    ready(member);
  }

  private void ready(Member member) {
    if (member.busy) {
      member.again = true;
    } else if (!member.ready && !member.gone) {
      member.ready = true;
      ready.add(member);
    }
  }

  private void turn(Member member, InotifyReader reader) {
    member.ready = false;
    if (member.gone) {
      return;
    }
    if (member.elsewhere != null) {
      member.busy = true;
      member.again = false;
      member.elsewhere.run(
          member.tree,
          (progress, failure) ->
              execute(() -> {
                member.busy = false;
                next(member, progress, failure);
              }));
      return;
    }
    try {
      next(member, member.tree.turn(reader, System.nanoTime()), null);
    } catch (WatchFailure failure) {
      next(member, Progress.OVER, failure);
    } catch (RuntimeException | Error defect) {
      log.error("a watch has failed", defect);
      next(member, Progress.OVER, internal(defect));
    }
  }

  static WatchFailure internal(Throwable defect) {
    return new WatchFailure(WatchFailure.Kind.FAILED, "watcher error: internal: " + defect);
  }

  private void next(Member member, Progress progress, @Nullable WatchFailure failure) {
    if (failure != null) {
      member.handle.fail(failure);
    }
    switch (progress) {
      case MORE -> ready(member);
      case IDLE -> {}
      case HELD ->
          timers.add(new Timer(System.nanoTime() + TreeWatch.PAIR_NANOS, () -> ready(member)));
      case OVER -> end(member);
    }
    if (member.again || member.handle.closed()) {
      member.again = false;
      ready(member);
    }
  }

  /// Lets go of a watch; one that has a turn elsewhere when that is done.
  private void end(Member member) {
    if (member.busy) {
      member.again = true;
      return;
    }
    if (member.gone) {
      return;
    }
    member.gone = true;
    int fd = member.tree.inotify();
    if (members.remove(fd, member) && waits != null) {
      waits.remove(fd);
    }
    member.tree.close();
    member.whenGone.run();
  }

  private void abandon(Throwable failure) {
    synchronized (lock) {
      wakeable = null;
      thread = null;
    }
    for (Member member : members.values()) {
      member.handle.fail(internal(failure));
      member.gone = true;
      member.tree.close();
    }
    members.clear();
    ready.clear();
    timers.clear();
  }
}
