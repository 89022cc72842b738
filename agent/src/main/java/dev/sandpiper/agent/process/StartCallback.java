package dev.sandpiper.agent.process;

/// Receives the outcome of one start, exactly once, on the thread that spawned: the caller's own, or another one.
/// Must not block.
public interface StartCallback {
  /// The spawn has succeeded; the process has a pid.
  void onStarted(ManagedProcess process);

  /// An earlier start with the same key had made the process, which may have ended since.
  default void onExisting(ManagedProcess process) {
    onStarted(process);
  }

  /// Nothing was started and nothing is left behind.
  void onRefused(StartRefused refused);
}
