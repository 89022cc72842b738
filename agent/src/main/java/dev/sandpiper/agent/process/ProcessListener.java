package dev.sandpiper.agent.process;

import dev.sandpiper.agent.journal.JournalEntry;
import org.jspecify.annotations.Nullable;

/// Told of every process's start and end, in this order, once each. Called on the spawning thread and on the pipe loop;
/// must not block.
public interface ProcessListener {
  /// The process runs; its log may already hold output.
  void onStarted(ManagedProcess process);

  /// The process has ended; {@link ManagedProcess#end()} is set and the log holds the mark.
  void onEnded(ManagedProcess process, ProcessEnd end);

  /// A process that an earlier agent started is known again, in place of {@link #onStarted}: finished ones with their
  /// end, of which {@link #onEnded} is not called again; others run. Called while the agent starts, for finished ones in the
  /// order of their ends, then for the others in that of their starts.
  ///
  /// @param position how far that agent had come with its records; null when it had not said
  default void onRecovered(
      ManagedProcess process, JournalEntry.@Nullable EmitterPosition position) {}
}
