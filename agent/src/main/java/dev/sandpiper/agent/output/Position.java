package dev.sandpiper.agent.output;

/// Where a [Cursor] begins.
public sealed interface Position {
  Position BEGINNING = new Beginning();
  Position NOW = new Now();

  /// The first byte ever printed; a gap comes first where retention has removed it.
  record Beginning() implements Position {}

  /// Behind the last byte that is in the log at this moment.
  record Now() implements Position {}

  /// An offset in each stream, in bytes from the first byte ever printed. Those of streams the process does not have are
  /// ignored.
  record Offsets(long stdout, long stderr, long pty) implements Position {
    public Offsets {
      if (stdout < 0 || stderr < 0 || pty < 0) {
        throw new IllegalArgumentException(
            "offsets must not be negative: stdout %d, stderr %d, pty %d"
                .formatted(stdout, stderr, pty));
      }
    }

    long of(StreamName stream) {
      return switch (stream) {
        case STDOUT -> stdout;
        case STDERR -> stderr;
        case PTY -> pty;
      };
    }
  }
}
