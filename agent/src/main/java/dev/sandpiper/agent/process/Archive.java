package dev.sandpiper.agent.process;

import dev.sandpiper.agent.journal.Journal;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.OutputSettings;
import dev.sandpiper.agent.output.OutputStore;
import dev.sandpiper.agent.output.PipeLoop;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// What an agent that is gone left in its state directory. It is only looked at: nothing is locked, set aside, ended or made
/// room for, so that an agent that starts there meanwhile does not notice.
///
/// A process without an end in the journal stays without one here: whether it runs is for a new agent to find out.
public final class Archive implements AutoCloseable {
  private final OutputStore store;
  private final List<ManagedProcess> processes;

  private Archive(OutputStore store, List<ManagedProcess> processes) {
    this.store = store;
    this.processes = processes;
  }

  /// Reads a state directory.
  ///
  /// @throws IOException naming what is missing or cannot be read
  public static Archive open(Path stateDirectory, PipeLoop loop) throws IOException {
    Path output = stateDirectory.resolve("output");
    if (!Files.isDirectory(output)) {
      throw new IOException(
          "--state-dir: %s is no state directory of an agent: it has no output/"
              .formatted(stateDirectory));
    }
    Recovery recovery = Recovery.of(Journal.read(stateDirectory.resolve("journal")));
    OutputStore store = OutputStore.open(output, OutputSettings.READ_ONLY, loop);
    List<ManagedProcess> processes = new ArrayList<>();
    for (Recovery.Finished finished : recovery.finished()) {
      if (finished.started() != null) {
        OutputLog log =
            store.recover(
                finished.ended().processId(),
                JournalEntries.streamBytes(finished.ended()),
                finished.ended().index().toArray());
        processes.add(
            new ManagedProcess(
                JournalEntries.description(finished.started()),
                finished.started().facts(),
                log,
                JournalEntries.end(finished.ended()),
                finished.ended().inputOffset()));
      }
    }
    for (Recovery.Unended unended : recovery.unended()) {
      OutputLog log = store.recover(unended.started().processId(), Map.of(), new byte[0]);
      processes.add(ManagedProcess.unended(JournalEntries.description(unended.started()), log));
    }
    processes.sort(Comparator.comparing(ManagedProcess::processId));
    return new Archive(store, List.copyOf(processes));
  }

  /// Every process, oldest first.
  public List<ManagedProcess> all() {
    return processes;
  }

  /// One of them.
  public Optional<ManagedProcess> get(String processId) {
    return processes.stream().filter(process -> process.processId().equals(processId)).findFirst();
  }

  /// A time before which the logs are complete, as of a store that grows.
  public long settledMicros() {
    return store.settledMicros();
  }

  @Override
  public void close() {
    store.close();
  }
}
