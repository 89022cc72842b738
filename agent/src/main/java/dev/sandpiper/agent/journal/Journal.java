package dev.sandpiper.agent.journal;

import java.io.IOException;
import java.util.List;

/// The append-only file of process lives. Thread-safe.
@SuppressWarnings("DoNotCallSuggester")
public final class Journal implements AutoCloseable {
  Journal() {}

  /// What the file held when it was opened, oldest first, without deleted processes and superseded positions.
  public List<JournalEntry> entries() {
    throw new UnsupportedOperationException();
  }

  /// Appends one entry with one `write(2)`. When this returns, the entry survives the agent (with the fsync setting: a power
  /// cut as well).
  ///
  /// @throws IOException when it could not be written, naming the file; the journal is then as it was before
  public void append(JournalEntry entry) throws IOException {
    throw new UnsupportedOperationException();
  }

  @Override
  public void close() {}
}
