package dev.sandpiper.agent.launch;

/// Starts children. Thread-safe.
public interface Launcher extends AutoCloseable {
  /// Whether {@link #launchHere} will do, that is whether the user is the agent's own identity.
  boolean canLaunchHere(LaunchSpec spec);

  /// Starts a child on the calling thread, in about 0.1 ms; blocks for that and for nothing else. Throws
  /// `IllegalArgumentException` unless {@link #canLaunchHere}.
  Child launchHere(LaunchSpec spec) throws LaunchException;

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

  /// How many times a child's priority (`oom_score_adj`, nice, I/O class) could not be set; such failures are ignored.
  long priorityFailures();

  /// No more starts; waits for the one in progress. Children go on running, FIFOs that nobody uses are removed.
  @Override
  void close();

  /// Called exactly once, on the spawner thread: return soon, and throw nothing.
  interface LaunchCallback {
    void onLaunched(Child child);

    void onFailed(LaunchException failure);
  }
}
