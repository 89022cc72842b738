package dev.sandpiper.agent.output;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/// All output logs of the agent and the bound on them together.
@SuppressWarnings("DoNotCallSuggester")
public final class OutputStore implements AutoCloseable {
  OutputStore() {}

  /// Opens the store in `directory` (which exists) and finds what an earlier agent left there.
  public static OutputStore open(Path directory, OutputSettings settings, PipeLoop loop) {
    throw new UnsupportedOperationException();
  }

  /// A log for a new process. Creates no file: nothing is created before the first byte.
  ///
  /// @param processId letters, digits, `-` and `_`, at most 64
  public OutputLog create(String processId, Set<StreamName> streams) {
    throw new UnsupportedOperationException();
  }

  /// Opens the logs that an earlier agent left as finished logs, and returns them, oldest first. Once, before the first
  /// [#create].
  ///
  /// @param ended small indexes from the journal by process id, oldest end first; logs that are not named there are kept as well
  public List<OutputLog> recover(Map<String, byte[]> ended) {
    throw new UnsupportedOperationException();
  }

  public Optional<OutputLog> find(String processId) {
    throw new UnsupportedOperationException();
  }

  /// Sets who is told, on the pipe loop, that the log of a finished process was evicted as a whole.
  public void onEvicted(Consumer<String> listener) {
    throw new UnsupportedOperationException();
  }

  public OutputCounters counters() {
    throw new UnsupportedOperationException();
  }

  /// Closes all descriptors; files stay. To be called before the pipe loop is closed.
  @Override
  public void close() {}
}
