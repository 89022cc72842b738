package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessEnd;
import dev.sandpiper.agent.process.ProcessListener;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/// Hands the starts of processes to those who follow; one of the process manager's listeners, made before it. Ends need no
/// news of their own: they wake whoever watches the output log.
public final class ProcessNews implements ProcessListener {
  private final List<Consumer<ManagedProcess>> followers = new CopyOnWriteArrayList<>();

  @Override
  public void onStarted(ManagedProcess process) {
    for (Consumer<ManagedProcess> follower : followers) {
      follower.accept(process);
    }
  }

  @Override
  public void onEnded(ManagedProcess process, ProcessEnd end) {}

  Runnable add(Consumer<ManagedProcess> follower) {
    followers.add(follower);
    return () -> followers.remove(follower);
  }
}
