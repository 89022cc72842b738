package dev.sandpiper.agent.process;

import dev.sandpiper.agent.journal.JournalEntry;
import dev.sandpiper.agent.journal.JournalEntry.EmitterPosition;
import dev.sandpiper.agent.journal.JournalEntry.Ended;
import dev.sandpiper.agent.journal.JournalEntry.Started;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The journal of an earlier agent, sorted by process.
///
/// @param finished what ended, in the order of the ends
/// @param unended what has no end, in the order of the starts
record Recovery(List<Finished> finished, Collection<Unended> unended) {

  /// A process with its end.
  ///
  /// @param started null where the journal lacks it, after damage: then nothing but its output is left
  /// @param position how far the records of it came; null when nobody said
  record Finished(@Nullable Started started, Ended ended, @Nullable EmitterPosition position) {}

  /// A process that had no end when the journal stopped: it runs, or ended while no agent did.
  ///
  /// @param position how far the records of it came; null when nobody said
  record Unended(Started started, @Nullable EmitterPosition position) {}

  static Recovery of(List<JournalEntry> entries) {
    Map<String, Started> started = new LinkedHashMap<>();
    Map<String, Ended> ended = new LinkedHashMap<>();
    Map<String, EmitterPosition> positions = new HashMap<>();
    for (JournalEntry entry : entries) {
      String processId = entry.processId();
      switch (entry) {
        case Started start -> started.put(processId, start);
        case Ended end -> ended.putIfAbsent(processId, end);
        case EmitterPosition position -> positions.put(processId, position);
        case JournalEntry.Deleted _ -> {
          started.remove(processId);
          ended.remove(processId);
          positions.remove(processId);
        }
      }
    }
    List<Finished> finished = new ArrayList<>(ended.size());
    ended.forEach((processId, end) ->
        finished.add(new Finished(started.remove(processId), end, positions.get(processId))));
    List<Unended> unended = new ArrayList<>(started.size());
    started.forEach(
        (processId, start) -> unended.add(new Unended(start, positions.get(processId))));
    return new Recovery(finished, unended);
  }
}
