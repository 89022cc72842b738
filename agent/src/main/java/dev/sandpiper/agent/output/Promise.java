package dev.sandpiper.agent.output;

/// What a reader was promised when it began.
public enum Promise {
  /// Every byte from where it began. When retention would remove what this reader has not read, the command is held back as
  /// long as the reader makes progress ([OutputSettings#stallLimit]); without progress the reader is ended
  /// ([Cursor.Step.Stalled]).
  EVERYTHING,

  /// What is still there: it never holds a command, and is told of each gap.
  BEST_EFFORT
}
