package dev.sandpiper.agent.output;

import java.util.Locale;

/// One of the streams that a process prints to. Either `stdout` and `stderr`, or `pty` alone.
public enum StreamName {
  STDOUT,
  STDERR,
  PTY;

  static final int COUNT = 3;

  private final String text = name().toLowerCase(Locale.ROOT);

  /// The name as users know it: `stdout`, `stderr` or `pty`. Part of segment file names, so it never changes.
  public String text() {
    return text;
  }
}
