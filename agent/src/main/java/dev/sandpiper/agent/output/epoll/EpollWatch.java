package dev.sandpiper.agent.output.epoll;

import dev.sandpiper.agent.output.FdWatch;
import io.netty.channel.IoEvent;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One descriptor in the epoll set. Its state belongs to the loop's thread.
///
/// A paused descriptor stays in the set, edge-triggered and interested in errors only: a hang-up, which epoll reports whatever
/// one asks for, then wakes the loop once instead of for ever. Asking Netty for no events at all would take the descriptor out
/// behind its back, and it could not be put in again.
final class EpollWatch implements FdWatch, EpollIoHandle {
  private static final Logger LOG = LoggerFactory.getLogger(EpollWatch.class);

  private static final EpollIoOps PAUSED = EpollIoOps.EPOLLERR.with(EpollIoOps.EPOLLET);

  private final IoEventLoop loop;
  private final FileDescriptor fd;
  private final EpollIoOps interest;
  private final Runnable onReady;
  private @Nullable IoRegistration registration;
  private boolean paused;
  private boolean closed;

  EpollWatch(IoEventLoop loop, int fd, EpollIoOps interest, Runnable onReady) {
    this.loop = loop;
    this.fd = new FileDescriptor(fd);
    this.interest = interest;
    this.onReady = onReady;
  }

  EpollWatch start() {
    inLoop(this::register);
    return this;
  }

  private void register() {
    if (closed) {
      return;
    }
    // On the loop this is done when it returns.
    Future<IoRegistration> future = loop.register(this);
    if (!future.isSuccess()) {
      LOG.error("cannot watch descriptor {}", fd.intValue(), future.cause());
      return;
    }
    registration = future.getNow();
    registration.submit(paused ? PAUSED : interest);
  }

  @Override
  public void pause() {
    inLoop(() -> {
      if (!paused) {
        paused = true;
        submit(PAUSED);
      }
    });
  }

  @Override
  public void resume() {
    inLoop(() -> {
      if (paused) {
        paused = false;
        submit(interest);
      }
    });
  }

  private void submit(EpollIoOps ops) {
    if (registration != null && !closed) {
      registration.submit(ops);
    }
  }

  /// Called by Netty when the loop ends, and by the owner: the descriptor itself stays open either way.
  @Override
  public void close() {
    inLoop(() -> {
      closed = true;
      if (registration != null) {
        registration.cancel();
        registration = null;
      }
    });
  }

  @Override
  public FileDescriptor fd() {
    return fd;
  }

  @Override
  public void handle(IoRegistration from, IoEvent event) {
    if (paused || closed) {
      return;
    }
    try {
      onReady.run();
    } catch (RuntimeException | Error failure) {
      LOG.error("descriptor {} is watched no longer, its callback failed", fd.intValue(), failure);
      close();
    }
  }

  private void inLoop(Runnable task) {
    if (loop.inEventLoop()) {
      task.run();
    } else {
      try {
        loop.execute(task);
      } catch (RejectedExecutionException refused) {
        LOG.debug("the pipe loop is closed, nothing is watched any more", refused);
      }
    }
  }
}
