package dev.sandpiper.agent.tree;

import dev.sandpiper.agent.posix.Signals;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.function.IntPredicate;

/// Finds, signals and kills the trees of commands. Thread-safe; every method but {@link #started} and {@link #ended}
/// blocks, for milliseconds at the least, and is not for event loops.
///
/// Two looks or pursuits run at a time and further callers wait for them in the order in which they came, so that many
/// questions about trees do not take the machine from its commands.
public final class ProcessTrees {
  private static final int AT_A_TIME = 2;

  /// How long a signal other than SIGKILL follows a tree that grows meanwhile.
  private static final Duration SIGNAL_LIMIT = Duration.ofSeconds(1);

  /// A good time for {@link #kill}: a hundred looks at a machine with a thousand processes, and longer than the kernel
  /// takes to end the largest of them.
  public static final Duration KILL_LIMIT = Duration.ofSeconds(5);

  private final ControlGroups groups;
  private final IntPredicate startedByAgent;
  private final long orphansSince;
  private final Semaphore turns = new Semaphore(AT_A_TIME, true);

  /// @param startedByAgent whether a child of the agent's is one that it started itself, as opposed to an orphan that the
  ///     kernel gave to it; asked for unmarked ones
  /// @param orphansSince commands with this start time (in ticks) or a later one orphan to the agent, and to nobody else;
  ///     `Long.MAX_VALUE` for none
  public ProcessTrees(TreeSettings settings, IntPredicate startedByAgent, long orphansSince) {
    this.orphansSince = orphansSince;
    this.groups = new ControlGroups(settings.processCgroups());
    this.startedByAgent = startedByAgent;
  }

  /// Tells of a command that has just been spawned. Does nothing unless the setting asks for control groups; then it takes
  /// about 0.15 ms.
  public void started(String processId, int pid) {
    groups.enter(processId, pid);
  }

  /// Tells of a command that has ended. What it left behind can still be found.
  public void ended(String processId) {
    groups.leave(processId);
  }

  /// Who belongs to a tree and runs now, by pid. Those of whom nobody can tell are not among them.
  public List<TreeMember> members(TreeRoot root) throws InterruptedException {
    turns.acquire();
    try {
      ProcFiles files = new ProcFiles();
      ControlGroup group = groups.find(root.processId());
      return new Membership(root, files, startedByAgent, orphansSince)
          .of(files.all(), group == null ? List.of() : group.pids()).members().stream()
              .map(ProcEntry::member)
              .toList();
    } finally {
      turns.release();
    }
  }

  /// Sends a signal to everybody in a tree once, also to those who join it meanwhile. Whether they heed it is not waited
  /// for: {@code gone} tells of the moment right after. SIGKILL is {@link #kill} with its {@link #KILL_LIMIT}.
  ///
  /// @param signal 1 to 64
  public TreeOutcome signal(TreeRoot root, int signal) throws InterruptedException {
    return signal == Signals.SIGKILL ? kill(root, KILL_LIMIT) : pursue(root, signal, SIGNAL_LIMIT);
  }

  /// Kills a tree, again and again until a look at every process finds nobody of it, or the time is over. Who then is
  /// left is named with the reason.
  public TreeOutcome kill(TreeRoot root, Duration limit) throws InterruptedException {
    return pursue(root, Signals.SIGKILL, limit);
  }

  private TreeOutcome pursue(TreeRoot root, int signal, Duration limit)
      throws InterruptedException {
    turns.acquire();
    try {
      ProcFiles files = new ProcFiles();
      Membership membership = new Membership(root, files, startedByAgent, orphansSince);
      return new Pursuit(files, membership, root, groups.find(root.processId()), signal, limit)
          .run();
    } finally {
      turns.release();
    }
  }
}
