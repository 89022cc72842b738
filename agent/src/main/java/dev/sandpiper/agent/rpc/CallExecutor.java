package dev.sandpiper.agent.rpc;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.grpc.Context;
import io.netty.channel.EventLoop;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.AbstractExecutorService;
import java.util.concurrent.Callable;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Runs everything of one call one after the other: on the event loop, or on virtual threads that live while there is
/// something to run. Each task sees the call's [Context]; what it throws goes to one place and never vanishes.
///
/// The queue's bound is the call's demand: messages are only delivered that were requested, and each other event comes
/// once. A service that floods its own executor fills its own queue.
final class CallExecutor extends AbstractExecutorService implements ScheduledExecutorService {
  private static final Logger LOG = LoggerFactory.getLogger("rpc");

  private final EventLoop loop;
  private final boolean onLoop;
  private final Context context;
  private final Consumer<Throwable> failed;
  private final Object lock = new Object();

  @GuardedBy("lock")
  private final ArrayDeque<Runnable> queue = new ArrayDeque<>(4);

  @GuardedBy("lock")
  private boolean running;

  CallExecutor(EventLoop loop, Dispatch dispatch, Context context, Consumer<Throwable> failed) {
    this.loop = loop;
    this.onLoop = dispatch == Dispatch.EVENT_LOOP;
    this.context = context;
    this.failed = failed;
  }

  /// Runs a task now if this thread may and nothing else of the call runs, else as soon as that is so. A task started
  /// from inside another one runs after it.
  void run(Runnable task) {
    if (onLoop && !loop.inEventLoop()) {
      loop.execute(() -> run(task));
      return;
    }
    synchronized (lock) {
      queue.add(task);
      if (running) {
        return;
      }
      running = true;
    }
    if (onLoop) {
      drain();
    } else {
      Thread.startVirtualThread(this::drain);
    }
  }

  private void drain() {
    Context previous = context.attach();
    try {
      for (Runnable task = poll(); task != null; task = poll()) {
        try {
          task.run();
        } catch (Throwable e) {
          failed.accept(e);
        }
      }
    } finally {
      context.detach(previous);
    }
  }

  private @Nullable Runnable poll() {
    synchronized (lock) {
      Runnable task = queue.poll();
      running = task != null;
      return task;
    }
  }

  /// Without effect when the loop is gone, and the call's connection with it: then nobody waits for what the task would do.
  @Override
  public void execute(Runnable task) {
    if (onLoop) {
      try {
        loop.execute(() -> run(task)); // never inside the caller
      } catch (RejectedExecutionException over) {
        LOG.debug("a task of a call that is over is dropped", over);
      }
    } else {
      run(task);
    }
  }

  @Override
  public ScheduledFuture<?> schedule(Runnable task, long delay, TimeUnit unit) {
    return loop.schedule(() -> run(task), delay, unit);
  }

  @Override
  public <V> ScheduledFuture<V> schedule(Callable<V> task, long delay, TimeUnit unit) {
    throw new UnsupportedOperationException("schedule a Runnable");
  }

  @Override
  public ScheduledFuture<?> scheduleAtFixedRate(
      Runnable task, long first, long period, TimeUnit unit) {
    return loop.scheduleAtFixedRate(() -> run(task), first, period, unit);
  }

  @Override
  public ScheduledFuture<?> scheduleWithFixedDelay(
      Runnable task, long first, long delay, TimeUnit unit) {
    return loop.scheduleWithFixedDelay(() -> run(task), first, delay, unit);
  }

  @Override
  public void shutdown() {
    throw new UnsupportedOperationException("it belongs to the call");
  }

  @Override
  public List<Runnable> shutdownNow() {
    throw new UnsupportedOperationException("it belongs to the call");
  }

  @Override
  public boolean isShutdown() {
    return false;
  }

  @Override
  public boolean isTerminated() {
    return false;
  }

  @Override
  public boolean awaitTermination(long timeout, TimeUnit unit) {
    throw new UnsupportedOperationException("it belongs to the call");
  }
}
