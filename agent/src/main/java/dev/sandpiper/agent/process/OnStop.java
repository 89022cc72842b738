package dev.sandpiper.agent.process;

/// What happens to running commands when the agent is asked to stop.
public enum OnStop {
  /// They are stopped, with a grace, and their ends are told.
  STOP,
  /// They go on; the next agent on the state directory takes them over.
  LEAVE
}
