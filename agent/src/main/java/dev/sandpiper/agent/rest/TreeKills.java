package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.agent.tree.ProcessTrees;
import dev.sandpiper.agent.tree.Survivor;
import dev.sandpiper.agent.tree.TreeOutcome;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Kills processes with all that they have started, on threads of its own, which end when there is nothing to kill.
final class TreeKills {
  private static final int SIGKILL = 9;
  private static final int AT_A_TIME = 2;
  private static final int WAITING = 256;
  private static final long IDLE_SECONDS = 30;

  private final ProcessTrees trees;

  /// Bound: [#WAITING]; when full, 503.
  private final ThreadPoolExecutor threads =
      new ThreadPoolExecutor(
          AT_A_TIME,
          AT_A_TIME,
          IDLE_SECONDS,
          TimeUnit.SECONDS,
          new ArrayBlockingQueue<>(WAITING),
          task -> Thread.ofPlatform().name("tree-kill").daemon().unstarted(task));

  TreeKills(ProcessManager processes) {
    trees = processes.trees();
    threads.allowCoreThreadTimeOut(true);
  }

  /// Kills.
  ///
  /// @param answer told once, on any thread, when everybody is gone and the end is known: null; or why not
  void kill(ManagedProcess process, Consumer<@Nullable Problem> answer) throws Problem {
    try {
      threads.execute(() -> pursue(process, answer));
    } catch (RejectedExecutionException _) {
      throw new Problem(
          503,
          Problem.UNAVAILABLE,
          "Too many requests",
          WAITING + " other processes wait to be killed already");
    }
  }

  private void pursue(ManagedProcess process, Consumer<@Nullable Problem> answer) {
    Problem problem;
    try {
      process.signal(SIGKILL); // its end has an author
      problem = problem(trees.kill(process.treeRoot(), ProcessTrees.KILL_LIMIT));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      problem = problem(List.of("the agent is stopping"));
    } catch (RuntimeException e) {
      problem = problem(List.of(e.toString()));
    }
    if (problem == null) {
      process.whenEnded(() -> answer.accept(null));
    } else {
      answer.accept(problem);
    }
  }

  private static @Nullable Problem problem(TreeOutcome outcome) {
    if (outcome.gone()) {
      return null;
    }
    return problem(
        Stream.concat(outcome.survivors().stream().map(TreeKills::tell), outcome.limits().stream())
            .toList());
  }

  private static Problem problem(List<String> reasons) {
    return new Problem(
        500,
        Problem.SURVIVORS,
        "Not known to be gone",
        reasons.stream().collect(Collectors.joining("; ")));
  }

  private static String tell(Survivor survivor) {
    return "process "
        + survivor.member().pid()
        + " ("
        + survivor.member().name()
        + ") is still there: "
        + survivor.why();
  }
}
