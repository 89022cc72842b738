package dev.sandpiper.agent.journal;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/// The directory that the agent's state lives in: `journal`, `output/`, `version` and `lock`. Mode 0700, one agent at a time.
@SuppressWarnings("DoNotCallSuggester")
public final class StateDirectory implements AutoCloseable {
  StateDirectory() {}

  /// Opens and locks `path`, creating it where needed. Where it cannot be written a private temporary directory takes its place,
  /// which nothing survives. What is damaged, foreign or of a newer version is renamed, never deleted. [#notes] tells.
  ///
  /// @throws StateDirectoryInUse when another agent has it, naming its pid
  public static StateDirectory open(Path path) throws IOException {
    throw new UnsupportedOperationException();
  }

  /// Where the state lives when no setting says otherwise: `/var/lib/sandpiper` for root, else
  /// `$XDG_STATE_HOME/sandpiper` or `~/.local/state/sandpiper`.
  public static Path defaultPath() {
    throw new UnsupportedOperationException();
  }

  public Path path() {
    throw new UnsupportedOperationException();
  }

  /// The directory of the segments; it exists.
  public Path output() {
    throw new UnsupportedOperationException();
  }

  /// Whether this is the private temporary one, which goes away with the agent.
  public boolean temporary() {
    throw new UnsupportedOperationException();
  }

  /// What the operator has to know about the opening, one sentence each; empty when all was well.
  public List<String> notes() {
    throw new UnsupportedOperationException();
  }

  /// Opens the journal.
  ///
  /// @param sync whether each entry is forced to the disk
  public Journal openJournal(boolean sync) throws IOException {
    throw new UnsupportedOperationException();
  }

  @Override
  public void close() {}
}
