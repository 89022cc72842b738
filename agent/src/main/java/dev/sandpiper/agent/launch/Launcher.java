package dev.sandpiper.agent.launch;

import java.util.Map;
import java.util.function.Consumer;

/// Starts children. Thread-safe.
public interface Launcher extends AutoCloseable {
  /// Whether {@link #launchHere} will do, that is whether the user is the agent's own identity.
  boolean canLaunchHere(LaunchSpec spec);

  /// Starts a child on the calling thread, in about 0.1 ms; blocks for that and for nothing else. Throws
  /// `IllegalArgumentException` unless {@link #canLaunchHere}.
  ///
  /// @param prepared called on this thread right before the spawn, see {@link LaunchCallback#onPrepared}
  Child launchHere(LaunchSpec spec, Consumer<Map<String, String>> prepared) throws LaunchException;

  /// The same for whom nobody has to know before.
  default Child launchHere(LaunchSpec spec) throws LaunchException {
    return launchHere(spec, _ -> {});
  }

  /// Starts a child on the spawner thread, the only one that changes its identity. Waits nowhere: the queue holds 1,024
  /// starts, and one too many fails with `RESOURCES` on the calling thread.
  void launch(LaunchSpec spec, LaunchCallback callback);

  /// Takes over what an earlier agent started, whether it still runs or not; throws nothing that the kernel decides. Before
  /// anything is started, then {@link Keeper#releaseUnclaimed} once.
  Child adopt(EarlierChild earlier);

  /// What holds descriptors when the agent cannot.
  Keeper keeper();

  /// Loads and links everything that a first start would need, without starting anything; meant for a background
  /// thread right after start-up.
  void warmUp();

  /// Since when whatever a command of the agent's orphans becomes a child of the agent: commands with this start time or a
  /// later one (field 22 of `/proc/PID/stat`). `Long.MAX_VALUE` where that is so for none.
  long orphansSince();

  /// Whether the agent has started this process, as a command or for its own use; false for what was orphaned to it. Waits
  /// for spawns in progress, a tenth of a millisecond.
  boolean isOwn(int pid);

  /// How many times a child's priority (`oom_score_adj`, nice, I/O class) could not be set; such failures are ignored.
  long priorityFailures();

  /// No more starts; waits for the one in progress. Children go on running, FIFOs that nobody uses are removed.
  @Override
  void close();

  /// Called exactly once with an outcome, on the spawner thread: return soon, and throw nothing.
  interface LaunchCallback {
    /// The command is spawned when this returns, unless the kernel refuses: everything is there that it needs.
    ///
    /// @param facts what {@link Child#facts} will say of its descriptors
    default void onPrepared(Map<String, String> facts) {}

    void onLaunched(Child child);

    void onFailed(LaunchException failure);
  }
}
