package dev.sandpiper.agent.launch;

/// Whom a signal is for.
public enum Scope {
  /// The process itself.
  LEADER,
  /// Its whole process group, background children included unless they left it.
  GROUP
}
