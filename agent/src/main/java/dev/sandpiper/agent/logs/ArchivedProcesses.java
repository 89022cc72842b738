package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.process.Archive;
import dev.sandpiper.agent.process.ManagedProcess;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The processes of an agent that is gone. Nothing starts there any more.
final class ArchivedProcesses implements LoggedProcesses {
  private final Archive archive;

  ArchivedProcesses(Archive archive) {
    this.archive = archive;
  }

  @Override
  public List<LoggedProcess> all() {
    return archive.all().stream().<LoggedProcess>map(ArchivedProcesses::known).toList();
  }

  @Override
  public @Nullable LoggedProcess get(String processId) {
    return archive.get(processId).map(ArchivedProcesses::known).orElse(null);
  }

  /// Whoever may read the directory may read the arguments in it.
  private static KnownProcesses.Known known(ManagedProcess process) {
    return new KnownProcesses.Known(process, true);
  }

  @Override
  public Runnable watch(Consumer<LoggedProcess> started) {
    return () -> {};
  }
}
