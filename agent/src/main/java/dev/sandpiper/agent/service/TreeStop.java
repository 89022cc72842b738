package dev.sandpiper.agent.service;

import dev.sandpiper.agent.output.Cancellable;
import dev.sandpiper.agent.posix.Signals;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.agent.tree.TreeMember;
import dev.sandpiper.agent.tree.TreeOutcome;
import dev.sandpiper.proto.v1.StopResponse;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/// `Stop` of a whole tree: the signal to everybody, grace until nobody is left, SIGKILL for the rest, and a last look. Blocks;
/// runs on a virtual thread of its own.
final class TreeStop {
  private static final long FIRST_LOOK_MILLIS = 20;
  private static final long MOST_BETWEEN_LOOKS_MILLIS = 250;

  /// A leader that is killed with its tree ends after the drain limit at the latest; longer only in the kernel.
  private static final Duration END_LIMIT = Duration.ofMinutes(11);

  private final ProcessManager processes;
  private final ManagedProcess process;

  TreeStop(ProcessManager processes, ManagedProcess process) {
    this.processes = processes;
    this.process = process;
  }

  StopResponse run(int signal, Duration grace) throws InterruptedException {
    List<TreeMember> signalled = List.of();
    if (!grace.isZero() && signal != Signals.SIGKILL) {
      signalled = processes.signalTree(process, signal).signalled();
      awaitNobody(System.nanoTime() + grace.toNanos());
    }
    // Also when nobody is left: gone is only said after a look.
    TreeOutcome kill = processes.signalTree(process, Signals.SIGKILL);
    awaitEnd();
    return StopResponse.newBuilder()
        .setProcess(ProcessInfos.of(process))
        .setKilled(!kill.signalled().isEmpty())
        .setTree(TreeMessages.of(signalled, kill))
        .build();
  }

  /// Looks again and again, ever less often: the kernel does not tell when the last of a tree has gone.
  private void awaitNobody(long deadlineNanos) throws InterruptedException {
    long pause = FIRST_LOOK_MILLIS;
    while (!processes.trees().members(process.treeRoot()).isEmpty()) {
      long left = TimeUnit.NANOSECONDS.toMillis(deadlineNanos - System.nanoTime());
      if (left <= 0) {
        return;
      }
      Thread.sleep(Math.min(pause, left));
      pause = Math.min(pause * 2, MOST_BETWEEN_LOOKS_MILLIS);
    }
  }

  private void awaitEnd() throws InterruptedException {
    CountDownLatch ended = new CountDownLatch(1);
    Cancellable wait = process.whenEnded(ended::countDown);
    if (!ended.await(END_LIMIT.toSeconds(), TimeUnit.SECONDS)) {
      wait.cancel();
    }
  }
}
