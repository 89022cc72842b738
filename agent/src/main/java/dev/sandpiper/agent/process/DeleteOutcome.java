package dev.sandpiper.agent.process;

/// What became of a wish to forget a process.
public enum DeleteOutcome {
  /// It is forgotten, and its bytes go at once.
  DELETED,
  /// It has not ended yet; nothing was done.
  LIVE,
  /// Nobody of this id is known.
  UNKNOWN
}
