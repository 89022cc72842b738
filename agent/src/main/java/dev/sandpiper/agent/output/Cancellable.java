package dev.sandpiper.agent.output;

/// Something that was asked for and may be called off.
public interface Cancellable {
  /// Calls it off. No effect when it has run already or was called off before. Any thread.
  void cancel();
}
