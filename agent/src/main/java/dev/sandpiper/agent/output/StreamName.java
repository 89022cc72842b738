package dev.sandpiper.agent.output;

import java.util.Locale;

/// One of the streams that a process prints to. Either `stdout` and `stderr`, or `pty` alone.
public enum StreamName {
  STDOUT(0),
  STDERR(1),
  PTY(2);

  static final int COUNT = 3;
  private static final StreamName[] ALL = values();

  /// Its place in arrays, and its number in index files, so it never changes.
  final int number;

  private final String text = name().toLowerCase(Locale.ROOT);

  StreamName(int number) {
    this.number = number;
  }

  /// The stream of a [#number].
  ///
  /// @throws IndexOutOfBoundsException when there is none
  public static StreamName of(int number) {
    return ALL[number];
  }

  /// A number that never changes, for files and tokens.
  public int number() {
    return number;
  }

  /// The name as users know it: `stdout`, `stderr` or `pty`. Part of segment file names, so it never changes.
  public String text() {
    return text;
  }
}
