package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.launch.LaunchException.Reason;
import dev.sandpiper.agent.launch.Launcher.LaunchCallback;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.jspecify.annotations.Nullable;

/// The one thread that changes its identity: starts wait in line for it.
///
/// A platform thread that lives as long as the launcher and starts no other thread, because a new thread would inherit
/// whatever identity this one has at that moment.
final class SpawnerThread implements AutoCloseable {
  /// Starts that wait; one more is refused at once with `RESOURCES`. At 0.6 ms a start this is half a second of work.
  private static final int WAITING = 1024;

  private final PosixLauncher launcher;
  private final BlockingQueue<Work> queue = new ArrayBlockingQueue<>(WAITING);
  private final Thread thread;
  private volatile boolean closed;

  /// Without a spec it only wakes the thread.
  private record Work(@Nullable LaunchSpec spec, @Nullable LaunchCallback callback) {
    static final Work NOTHING = new Work(null, null);
  }

  SpawnerThread(PosixLauncher launcher) {
    this.launcher = launcher;
    thread = Thread.ofPlatform().name("spawner").daemon().unstarted(this::run);
    thread.start();
  }

  void submit(LaunchSpec spec, LaunchCallback callback) {
    if (closed) {
      callback.onFailed(new LaunchException(Reason.RESOURCES, "the agent is stopping"));
    } else if (!queue.offer(new Work(spec, callback))) {
      callback.onFailed(
          new LaunchException(
              Reason.RESOURCES, "too many starts at once: " + WAITING + " are waiting already"));
    }
  }

  void warmUp() {
    queue.offer(Work.NOTHING); // when it is full, it is warm
  }

  private void run() {
    Identity identity = new Identity();
    identity.warmUp();
    while (true) {
      Work work;
      try {
        work = closed ? queue.poll() : queue.take();
      } catch (InterruptedException ignored) {
        continue; // nobody interrupts this thread on purpose, and a start is not to be lost to it
      }
      if (work == null) {
        return;
      }
      if (work.spec != null && work.callback != null) {
        start(work.spec, work.callback, identity);
      }
    }
  }

  private void start(LaunchSpec spec, LaunchCallback callback, Identity identity) {
    try {
      Child child;
      try {
        child = launcher.start(spec, identity, callback::onPrepared);
      } catch (LaunchException failure) {
        callback.onFailed(failure);
        return;
      } catch (RuntimeException unexpected) {
        callback.onFailed(
            new LaunchException(
                Reason.INTERNAL,
                "command '" + spec.cmd() + "' could not be started: " + unexpected,
                unexpected));
        return;
      }
      callback.onLaunched(child);
    } catch (RuntimeException | Error broken) {
      // A callback that throws must not end the only thread that can start commands as other users.
      thread.getUncaughtExceptionHandler().uncaughtException(thread, broken);
    }
  }

  /// What waits is still started; then the thread ends.
  @Override
  public void close() {
    closed = true;
    queue.offer(Work.NOTHING);
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException again) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
