package dev.sandpiper.agent.output.epoll;

import dev.sandpiper.agent.output.Cancellable;
import dev.sandpiper.agent.output.FdWatch;
import dev.sandpiper.agent.output.PipeLoop;
import java.time.Duration;

/// One thread named `pipes`.
@SuppressWarnings("DoNotCallSuggester")
public final class EpollPipeLoop implements PipeLoop {
  @Override
  public boolean inLoop() {
    throw new UnsupportedOperationException();
  }

  @Override
  public void execute(Runnable task) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Cancellable schedule(Runnable task, Duration delay) {
    throw new UnsupportedOperationException();
  }

  @Override
  public FdWatch watch(int fd, Runnable onReadable) {
    throw new UnsupportedOperationException();
  }

  @Override
  public FdWatch watchWritable(int fd, Runnable onWritable) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void close() {}
}
