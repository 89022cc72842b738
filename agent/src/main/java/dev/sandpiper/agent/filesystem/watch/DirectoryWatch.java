package dev.sandpiper.agent.filesystem.watch;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.telemetry.Counters;
import org.jspecify.annotations.Nullable;

/// A caller's end of a watch: its events, in order, and why no more will come.
///
/// What the caller does not take waits, up to `--watch-buffer`; with one event more the watch ends with a failure that says
/// so, and what waits can still be taken. Thread-safe.
public final class DirectoryWatch implements Sink, AutoCloseable {
  private final long limit;
  private final Counters counters;
  private final Object lock = new Object();

  @GuardedBy("lock")
  private final EventQueue events;

  @GuardedBy("lock")
  private @Nullable WatchFailure failure;

  @GuardedBy("lock")
  private @Nullable Runnable wake;

  @GuardedBy("lock")
  private @Nullable Runnable stop;

  @GuardedBy("lock")
  private boolean waiting = true;

  private volatile boolean closed;

  DirectoryWatch(long limit, Counters counters) {
    this.counters = counters;
    this.limit = limit;
    events = new EventQueue(limit);
  }

  /// The next event; null where none waits: then [#failure] tells whether more may come, and the one given to
  /// [#onWake] is called when there is something new.
  public @Nullable WatchEvent next() {
    synchronized (lock) {
      WatchEvent event = events.poll();
      waiting = event == null;
      return event;
    }
  }

  /// Why nothing more will happen here; null while more may come. Where the watched directory was removed, nothing more
  /// comes without this being a failure.
  public @Nullable WatchFailure failure() {
    synchronized (lock) {
      return failure;
    }
  }

  /// Sets what is called when there is something after [#next] gave nothing, once for each time, from any thread, at
  /// once where there is something already. It must not block.
  public void onWake(Runnable action) {
    boolean now;
    synchronized (lock) {
      wake = action;
      now = waiting && (events.size() > 0 || failure != null);
      waiting &= !now;
    }
    if (now) {
      action.run();
    }
  }

  int size() {
    synchronized (lock) {
      return events.size();
    }
  }

  @Override
  public void event(WatchEvent event) {
    Runnable told = null;
    synchronized (lock) {
      if (failure != null || closed) {
        return;
      }
      if (events.add(event)) {
        counters.watchEvents(1);
      } else {
        counters.watchOverflow();
        failure =
            new WatchFailure(
                WatchFailure.Kind.LOST,
                "watcher error: events were lost, "
                    + events.size()
                    + " that nobody has taken fill the "
                    + limit
                    + " bytes that --watch-buffer allows");
      }
      if (waiting) {
        waiting = false;
        told = wake;
      }
    }
    run(told);
  }

  /// Nothing more will come, for this reason. The first one counts.
  void fail(WatchFailure reason) {
    Runnable told = null;
    synchronized (lock) {
      if (failure == null) {
        failure = reason;
        if (reason.kind() == WatchFailure.Kind.LOST) {
          counters.watchOverflow();
        }
      }
      if (waiting) {
        waiting = false;
        told = wake;
      }
    }
    run(told);
  }

  @Override
  public boolean closed() {
    if (closed) {
      return true;
    }
    synchronized (lock) {
      return failure != null;
    }
  }

  /// Sets what [#close] calls; calls it at once where that was.
  void onClose(Runnable action) {
    synchronized (lock) {
      if (!closed) {
        stop = action;
        return;
      }
    }
    action.run();
  }

  /// Ends the watch: nothing comes any more, and what it held is let go soon. Any thread, any number of times; does not wait.
  @Override
  public void close() {
    Runnable then;
    synchronized (lock) {
      closed = true;
      events.clear();
      wake = null;
      then = stop;
      stop = null;
    }
    run(then);
  }

  private static void run(@Nullable Runnable action) {
    if (action != null) {
      action.run();
    }
  }
}
