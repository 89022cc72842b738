package dev.sandpiper.agent.output.epoll;

import dev.sandpiper.agent.output.Cancellable;
import dev.sandpiper.agent.output.FdWatch;
import dev.sandpiper.agent.output.PipeLoop;
import io.netty.channel.IoEventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A pipe loop on Netty's epoll, on one daemon thread of its own, named `pipes`.
public final class EpollPipeLoop implements PipeLoop {
  private static final Logger LOG = LoggerFactory.getLogger(EpollPipeLoop.class);

  private final MultiThreadIoEventLoopGroup group;
  private final IoEventLoop loop;

  public EpollPipeLoop() {
    group =
        new MultiThreadIoEventLoopGroup(
            1,
            task -> {
              Thread thread = new Thread(task, "pipes");
              thread.setDaemon(true);
              return thread;
            },
            EpollIoHandler.newFactory());
    loop = group.next();
    // Without a timer the loop would wake once a second to find that it has none.
    var _ = loop.schedule(() -> {}, 10_000, TimeUnit.DAYS);
  }

  @Override
  public boolean inLoop() {
    return loop.inEventLoop();
  }

  @Override
  public void execute(Runnable task) {
    try {
      loop.execute(() -> guarded(task));
    } catch (RejectedExecutionException refused) {
      LOG.debug("the pipe loop is closed, a task is dropped", refused);
    }
  }

  @Override
  public Cancellable schedule(Runnable task, Duration delay) {
    try {
      Future<?> future = loop.schedule(() -> guarded(task), delay.toNanos(), TimeUnit.NANOSECONDS);
      return () -> future.cancel(false);
    } catch (RejectedExecutionException refused) {
      LOG.debug("the pipe loop is closed, a timer is dropped", refused);
      return () -> {};
    }
  }

  /// An exception inside a task of Netty's loop would vanish, and what waits for the task with it.
  private static void guarded(Runnable task) {
    try {
      task.run();
    } catch (RuntimeException | Error failure) {
      LOG.error("a task of the pipe loop failed", failure);
    }
  }

  @Override
  public FdWatch watch(int fd, Runnable onReadable) {
    return new EpollWatch(loop, fd, EpollIoOps.EPOLLIN, onReadable).start();
  }

  @Override
  public FdWatch watchWritable(int fd, Runnable onWritable) {
    return new EpollWatch(loop, fd, EpollIoOps.EPOLLOUT, onWritable).start();
  }

  @Override
  public void close() {
    Future<?> closed = group.shutdownGracefully(0, 5, TimeUnit.SECONDS);
    if (!inLoop()) {
      closed.awaitUninterruptibly();
    }
  }
}
