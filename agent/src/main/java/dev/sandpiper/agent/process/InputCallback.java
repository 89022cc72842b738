package dev.sandpiper.agent.process;

/// Receives what became of one write to a process's input, exactly once, on the pipe loop. Must not block.
@FunctionalInterface
public interface InputCallback {
  /// Called when the outcome is known.
  void onOutcome(InputOutcome outcome);
}
