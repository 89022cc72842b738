package dev.sandpiper.agent.filesystem.watch;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.filesystem.Entries;
import dev.sandpiper.agent.filesystem.Entry;
import dev.sandpiper.agent.filesystem.FileCallback;
import dev.sandpiper.agent.filesystem.FileFailure;
import dev.sandpiper.agent.filesystem.FileWork;
import dev.sandpiper.agent.filesystem.watch.TreeWatch.Progress;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.FileSystemStatus;
import dev.sandpiper.agent.posix.InotifyReader;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.telemetry.Counters;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Opens watches. Thread-safe; nothing is started before the first one.
public final class Watches implements AutoCloseable {
  private final WatchSettings settings;
  private final FileWork work;
  private final Function<String, @Nullable Entry> entries;
  private final Budget budget;
  private final Counters counters;
  private final WatchLoop loop = new WatchLoop();

  @GuardedBy("open")
  private final Set<DirectoryWatch> open = new HashSet<>();

  private volatile boolean closed;

  /// Nothing is started yet.
  public Watches(WatchSettings settings, FileWork work, Entries entries, Counters counters) {
    this(settings, work, path -> found(entries, path), counters);
  }

  private static @Nullable Entry found(Entries entries, String path) {
    try {
      return entries.stat(path);
    } catch (FileFailure gone) {
      return null; // the event is told without
    }
  }

  /// The same with another way to look up what is at an absolute path, null where nothing is. It is called on threads that
  /// may block, with the rights of the watch's user where those are enforced.
  Watches(
      WatchSettings settings,
      FileWork work,
      Function<String, @Nullable Entry> entries,
      Counters counters) {
    this.counters = counters;
    this.settings = settings;
    this.work = work;
    this.entries = entries;
    this.budget = new Budget(settings.directories());
  }

  /// A watch that is not of any directory yet.
  DirectoryWatch newWatch() {
    return new DirectoryWatch(settings.bufferBytes(), counters);
  }

  WatchSettings settings() {
    return settings;
  }

  WatchLoop loop() {
    return loop;
  }

  /// How a watch began.
  public interface Begun {
    /// What happens from now on will be told.
    void begun(DirectoryWatch watch);

    /// There is no watch.
    void failed(WatchFailure failure);
  }

  /// Begins a watch. What the caller gets at once it may close at any time, which also ends a beginning that takes long.
  ///
  /// @param begun told once, on another thread; not if the watch was closed before
  public DirectoryWatch open(WatchRequest request, Begun begun) {
    DirectoryWatch handle = newWatch();
    work.submit(
        request.user(),
        () -> attempt(request, handle),
        new FileCallback<>() {
          @Override
          public void done(Attempt attempt) {
            finish(request, handle, attempt, begun);
          }

          @Override
          public void failed(FileFailure failure) {
            begun.failed(new WatchFailure(WatchFailure.Kind.FAILED, failure.getMessage()));
          }
        });
    return handle;
  }

  /// One of the two is null.
  private record Attempt(@Nullable TreeWatch tree, @Nullable WatchFailure failure) {}

  private Attempt attempt(WatchRequest request, DirectoryWatch handle) {
    try (InotifyReader reader = new InotifyReader()) {
      check(request);
      return new Attempt(TreeWatch.open(request, entries, budget, handle, reader), null);
    } catch (WatchFailure failure) {
      return new Attempt(null, failure);
    }
  }

  private void finish(WatchRequest request, DirectoryWatch handle, Attempt attempt, Begun begun) {
    TreeWatch tree = attempt.tree;
    if (tree == null) {
      WatchFailure failure = attempt.failure;
      begun.failed(
          failure == null
              ? new WatchFailure(WatchFailure.Kind.FAILED, "error creating watcher")
              : failure);
      return;
    }
    synchronized (open) {
      open.add(handle);
    }
    counters.watcherStarted();
    loop.add(
        tree,
        handle,
        work.switches(request.user()) ? (watch, then) -> elsewhere(request, watch, then) : null,
        () -> forget(handle));
    if (closed) {
      handle.close();
    } else if (!handle.closed()) {
      begun.begun(handle);
    }
  }

  private void forget(DirectoryWatch handle) {
    boolean was;
    synchronized (open) {
      was = open.remove(handle);
    }
    if (was) {
      counters.watcherEnded();
    }
  }

  /// A turn under the identity of the watch's user.
  private void elsewhere(WatchRequest request, TreeWatch tree, WatchLoop.Outcome then) {
    work.submit(
        request.user(),
        () -> {
          try (InotifyReader reader = new InotifyReader()) {
            Progress progress = tree.turn(reader, System.nanoTime());
            return new Turn(progress, null);
          } catch (WatchFailure failure) {
            return new Turn(Progress.OVER, failure);
          }
        },
        new FileCallback<>() {
          @Override
          public void done(Turn turn) {
            then.is(turn.progress, turn.failure);
          }

          @Override
          public void failed(FileFailure failure) {
            then.is(
                Progress.OVER,
                new WatchFailure(
                    WatchFailure.Kind.FAILED, "watcher error: " + failure.getMessage()));
          }
        });
  }

  private record Turn(Progress progress, @Nullable WatchFailure failure) {}

  private static void check(WatchRequest request) throws WatchFailure {
    String path = request.path();
    int error = Posix.statusError(path);
    if (error < 0) {
      String why = "stat " + path + ": " + Errno.message(error);
      throw error == -Errno.ENOENT
          ? new WatchFailure(WatchFailure.Kind.NOT_FOUND, "path " + path + " not found: " + why)
          : new WatchFailure(WatchFailure.Kind.FAILED, "error statting path " + path + ": " + why);
    }
    FileStatus status = Posix.status(path);
    if (status != null && !status.isDirectory()) {
      throw new WatchFailure(WatchFailure.Kind.INVALID, "path " + path + " not a directory");
    }
    FileSystemStatus mounted = Posix.fileSystem(path);
    if (mounted == null) {
      throw new WatchFailure(
          WatchFailure.Kind.FAILED, "error checking mount status: statfs " + path + " failed");
    }
    if (!request.allowNetworkMounts() && FileSystems.isNetwork(mounted.type())) {
      throw new WatchFailure(
          WatchFailure.Kind.INVALID, "cannot watch path on network filesystem: " + path);
    }
  }

  /// Ends all watches; new ones end at once. May be called twice, from any thread; does not wait.
  @Override
  public void close() {
    closed = true;
    List<DirectoryWatch> all;
    synchronized (open) {
      all = List.copyOf(open);
    }
    all.forEach(DirectoryWatch::close);
  }
}
