package dev.sandpiper.agent.output;

/// One descriptor watched by the [PipeLoop].
///
/// Methods may be called from any thread. Called on the loop they take effect at once; called elsewhere, one more callback
/// may already be on its way.
public interface FdWatch extends AutoCloseable {
  /// No callbacks until [#resume]. The other side hanging up does not wake the loop either.
  void pause();

  /// Callbacks again, at once if the descriptor is ready now.
  void resume();

  /// Takes the descriptor out of the loop; it stays open. Its owner closes it only after this has taken effect (so: on the
  /// loop), because another process may hold a copy, and then the kernel goes on reporting a descriptor we no longer have.
  @Override
  void close();
}
