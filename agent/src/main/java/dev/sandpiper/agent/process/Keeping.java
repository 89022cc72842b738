package dev.sandpiper.agent.process;

import dev.sandpiper.agent.launch.Child;
import dev.sandpiper.agent.launch.Keeper;
import dev.sandpiper.agent.output.FdWatch;
import dev.sandpiper.agent.output.PipeLoop;
import org.jspecify.annotations.Nullable;

/// Works the keeper from the pipe loop, so that no start waits for it: what is handed over in one turn of the loop is sent
/// together, and a keeper that has ended is replaced. Pipe loop only.
final class Keeping {
  private final Keeper keeper;
  private final PipeLoop loop;
  private boolean flushing;
  private @Nullable FdWatch watch;

  Keeping(Keeper keeper, PipeLoop loop) {
    this.keeper = keeper;
    this.loop = loop;
  }

  void keep(Child child) {
    child.keep();
    if (!flushing) {
      flushing = true;
      loop.execute(this::flush);
    }
  }

  void flush() {
    flushing = false;
    keeper.flush();
    int exitFd = keeper.exitFd();
    if (watch == null && exitFd >= 0) {
      watch = loop.watch(exitFd, this::ended);
    }
  }

  private void ended() {
    if (watch != null) {
      watch.close();
      watch = null;
    }
    keeper.replace();
    flush();
  }
}
