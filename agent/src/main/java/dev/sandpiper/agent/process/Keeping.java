package dev.sandpiper.agent.process;

import dev.sandpiper.agent.launch.Keeper;
import dev.sandpiper.agent.output.FdWatch;
import dev.sandpiper.agent.output.PipeLoop;
import org.jspecify.annotations.Nullable;

/// Has the keeper run while there is anything to keep: it is started before the first command, and one that has ended is replaced.
/// Pipe loop only, but for {@link #ready}.
final class Keeping {
  private final Keeper keeper;
  private final PipeLoop loop;
  private @Nullable FdWatch watch;

  Keeping(Keeper keeper, PipeLoop loop) {
    this.keeper = keeper;
    this.loop = loop;
  }

  /// Before a spawn, on any thread: what the command prints is kept from the first byte on.
  void ready() {
    if (keeper.start()) {
      loop.execute(this::watch);
    }
  }

  /// What has come from an earlier agent is held when this returns.
  void hold() {
    keeper.flush();
    if (keeper.holdsAnything()) {
      keeper.start();
    }
    watch();
  }

  private void watch() {
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
    hold();
  }
}
