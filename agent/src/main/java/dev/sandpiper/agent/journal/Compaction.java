package dev.sandpiper.agent.journal;

import dev.sandpiper.agent.journal.EntryCodec.Head;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;

/// Which entries of a journal count: not those of a process up to its deletion, and of its starts and its emitter
/// positions only the newest, the latter as long as the process is there. Entries of kinds that this version does not know stay.
///
/// Two passes over the file: all entries are shown to [#see], then asked for with [#counts].
final class Compaction {
  private final Map<String, Integer> deletedAt = new HashMap<>();
  private final Map<String, Integer> positionAt = new HashMap<>();
  private final Map<String, Integer> startedAt = new HashMap<>();
  private final BitSet malformed = new BitSet();
  private int seen;

  void see(int number, byte[] body) {
    seen = number + 1;
    try {
      Head head = EntryCodec.head(body);
      if (head.isDeleted()) {
        deletedAt.put(head.processId(), number);
        startedAt.remove(head.processId());
      } else if (head.isStarted()) {
        startedAt.put(head.processId(), number);
      } else if (head.isEmitterPosition()) {
        positionAt.put(head.processId(), number);
      }
    } catch (Malformed _) {
      malformed.set(number);
    }
  }

  int malformed() {
    return malformed.cardinality();
  }

  boolean counts(int number, byte[] body) {
    if (malformed.get(number) || number >= seen) {
      return number >= seen;
    }
    try {
      Head head = EntryCodec.head(body);
      if (number <= deletedAt.getOrDefault(head.processId(), -1)) {
        return false;
      }
      if (head.isStarted()) {
        return number >= startedAt.getOrDefault(head.processId(), -1);
      }
      // The emitter may come to the end of a process only after it was deleted.
      return !head.isEmitterPosition()
          || (number >= positionAt.getOrDefault(head.processId(), -1)
              && startedAt.containsKey(head.processId()));
    } catch (Malformed _) {
      return false;
    }
  }
}
