package dev.sandpiper.agent.output;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// In which order the streams of one log grew, and when: one entry (stream, end offset, time) for each time one of them did.
///
/// An entry grows while the same stream grows within a millisecond of its beginning, so a fast stream makes a thousand entries
/// a second, not a million. The newest entries are in memory, at most [#MEMORY_ENTRIES]; older ones go to files
/// ([IndexPart]) in batches of half as many, oldest first. Entries are numbered from 0 over the whole life of the log.
///
/// Entries go when the bytes they speak of have gone, and when there are too many. What then lies before the first kept entry,
/// below the *floor*, is still readable, stream after stream, only its interleaving and its times are no longer known. The
/// same holds for what an earlier agent left without index.
///
/// Guarded by the log's monitor, written on the pipe loop only; the files are written by the pipe loop outside of it.
final class Index {
  static final int MEMORY_ENTRIES = 256;
  private static final int BATCH_ENTRIES = MEMORY_ENTRIES / 2;
  private static final int FIRST_WORDS = 8;
  static final long MERGE_MICROS = 1_000;

  /// Two bits for the stream above, the end offset below.
  private static final int STREAM_SHIFT = 62;

  private static final long OFFSET_MASK = (1L << STREAM_SHIFT) - 1;

  /// Two words per entry: stream and end, time. Grows from four entries, as most logs have few.
  private long[] words = new long[FIRST_WORDS];

  private int inMemory;

  /// Number of the first entry in memory.
  private long memoryStart;

  /// Of the newest entry, wherever that is. Times never go back, whatever the clock does: whoever looks for a time finds it.
  private long lastMicros;

  /// When the last entry in memory began, as the clock had it.
  private long beganMicros;

  /// The last entry grows no more.
  private boolean sealed;

  /// Ends of the streams before the first entry in memory; null while all are 0.
  private long @Nullable [] memoryFloor;

  private @Nullable List<IndexPart> parts;

  /// When what lies below the floor was printed, as far as is known.
  private long floorMicros;

  /// The number behind the last entry.
  long count() {
    return memoryStart + inMemory;
  }

  /// The first entry that is kept.
  long first() {
    return parts == null || parts.isEmpty() ? memoryStart : parts.getFirst().first;
  }

  /// Where the order of a stream begins to be known.
  long floor(StreamName stream) {
    long[] floor = parts == null || parts.isEmpty() ? memoryFloor : parts.getFirst().floor;
    return floor == null ? 0 : floor[stream.number];
  }

  long floorMicros() {
    return floorMicros;
  }

  /// When the newest entry was printed; 0 before the first.
  long lastMicros() {
    return lastMicros;
  }

  /// The stream grew to `end`.
  void append(StreamName stream, long end, long now) {
    if (inMemory > 0 && !sealed) {
      int last = (inMemory - 1) * 2;
      long age = now - beganMicros;
      if (streamOf(words[last]) == stream && age >= 0 && age < MERGE_MICROS) {
        words[last] = pack(stream, end);
        return;
      }
    }
    sealed = false;
    if (inMemory * 2 == words.length) {
      words = Arrays.copyOf(words, Math.max(FIRST_WORDS, words.length * 2));
    }
    words[inMemory * 2] = pack(stream, end);
    lastMicros = Math.max(now, lastMicros);
    beganMicros = now;
    words[inMemory * 2 + 1] = lastMicros;
    inMemory++;
  }

  /// Begins a new entry with the next growth.
  void seal() {
    sealed = true;
  }

  boolean isInMemory(long order) {
    return order >= memoryStart;
  }

  /// An entry in memory: stream and end.
  long word(long order) {
    return words[(int) (order - memoryStart) * 2];
  }

  /// An entry in memory: its time.
  long micros(long order) {
    return words[(int) (order - memoryStart) * 2 + 1];
  }

  static StreamName streamOf(long word) {
    return StreamName.of((int) (word >>> STREAM_SHIFT));
  }

  static long endOf(long word) {
    return word & OFFSET_MASK;
  }

  private static long pack(StreamName stream, long end) {
    return (long) stream.number << STREAM_SHIFT | end;
  }

  /// The newest part that begins at or below an offset of a stream; null when none does.
  @Nullable IndexPart partAt(StreamName stream, long offset) {
    if (parts != null) {
      for (int i = parts.size() - 1; i >= 0; i--) {
        if (parts.get(i).floor[stream.number] <= offset) {
          return parts.get(i);
        }
      }
    }
    return null;
  }

  /// The newest part that begins before a time; null when none does.
  @Nullable IndexPart partBefore(long micros) {
    if (parts != null) {
      for (int i = parts.size() - 1; i >= 0; i--) {
        if (parts.get(i).firstMicros < micros) {
          return parts.get(i);
        }
      }
    }
    return null;
  }

  /// Where a stream ended before the first entry in memory.
  long memoryFloor(StreamName stream) {
    return memoryFloor == null ? 0 : memoryFloor[stream.number];
  }

  /// The first entry in memory.
  long memoryStart() {
    return memoryStart;
  }

  /// The part that holds an entry that is not in memory, or null when it is no longer kept.
  @Nullable IndexPart part(long order) {
    if (parts != null) {
      for (int i = parts.size() - 1; i >= 0; i--) {
        IndexPart part = parts.get(i);
        if (part.first <= order) {
          return order < part.first + part.count ? part : null;
        }
      }
    }
    return null;
  }

  /// Where a reader that has read the streams up to `position` begins to look: no entry before holds bytes it lacks.
  long begin(long[] position) {
    if (reached(memoryFloor, position)) {
      return memoryStart;
    }
    if (parts != null) {
      for (int i = parts.size() - 1; i >= 0; i--) {
        if (reached(parts.get(i).floor, position)) {
          return parts.get(i).first;
        }
      }
    }
    return first();
  }

  private static boolean reached(long @Nullable [] floor, long[] position) {
    if (floor != null) {
      for (int i = 0; i < floor.length; i++) {
        if (position[i] < floor[i]) {
          return false;
        }
      }
    }
    return true;
  }

  /// What there is now, for one who looks at it later: the newest last.
  List<IndexPiece> pieces() {
    List<IndexPiece> pieces = new ArrayList<>();
    if (parts != null) {
      parts.forEach(part -> pieces.add(new IndexPiece(part, part.first, part.count, part.floor)));
    }
    pieces.add(new IndexPiece(batch(true), memoryStart, floorBeforeMemory()));
    return pieces;
  }

  // --- To the files. The pipe loop takes a batch, writes it outside the monitor, and says how that
  // went. ---

  boolean isFull() {
    return inMemory >= MEMORY_ENTRIES;
  }

  boolean isEmpty() {
    return count() == 0;
  }

  boolean hasParts() {
    return parts != null && !parts.isEmpty();
  }

  int inMemory() {
    return inMemory;
  }

  /// Words of the oldest entries in memory: a batch, or all.
  long[] batch(boolean all) {
    int entries = all ? inMemory : Math.min(inMemory, BATCH_ENTRIES);
    return Arrays.copyOf(words, entries * 2);
  }

  /// The part that the next batch goes to; a new one, not yet among the parts, when there is none with room.
  IndexPart partForBatch() {
    if (parts != null && !parts.isEmpty() && parts.getLast().hasRoom()) {
      return parts.getLast();
    }
    return new IndexPart(memoryStart, floorBeforeMemory());
  }

  private long[] floorBeforeMemory() {
    return memoryFloor == null ? new long[StreamName.COUNT] : memoryFloor.clone();
  }

  /// The batch is in the file of `part`.
  void written(IndexPart part, long[] batch) {
    if (parts == null) {
      parts = new ArrayList<>(1);
    }
    if (parts.isEmpty() || parts.getLast() != part) {
      parts.add(part);
    }
    part.count += batch.length / 2;
    forget(batch);
  }

  /// The batch could not be written: what it says, and all that was said before, is given up. Returns the parts to delete.
  List<IndexPart> lost(long[] batch) {
    List<IndexPart> gone = parts == null ? List.of() : parts;
    parts = null;
    floorMicros = batch[1];
    forget(batch);
    return gone;
  }

  private void forget(long[] batch) {
    long[] floor = floorBeforeMemory();
    for (int i = 0; i < batch.length; i += 2) {
      floor[streamOf(batch[i]).number] = endOf(batch[i]);
    }
    memoryFloor = floor;
    int entries = batch.length / 2;
    System.arraycopy(words, batch.length, words, 0, inMemory * 2 - batch.length);
    inMemory -= entries;
    memoryStart += entries;
  }

  /// Takes out the parts that speak only of bytes below `starts`, and the oldest ones beyond `maxParts`.
  List<IndexPart> prune(long[] starts, int maxParts) {
    if (parts == null || parts.isEmpty()) {
      return List.of();
    }
    int gone = Math.max(0, parts.size() - maxParts);
    while (gone < parts.size()) {
      long[] end = gone + 1 < parts.size() ? parts.get(gone + 1).floor : floorBeforeMemory();
      if (!reached(end, starts)) {
        break;
      }
      gone++;
    }
    if (gone == 0) {
      return List.of();
    }
    List<IndexPart> removed = List.copyOf(parts.subList(0, gone));
    parts.subList(0, gone).clear();
    floorMicros = removed.getLast().firstMicros;
    return removed;
  }

  /// All parts, which are to be deleted with the log.
  List<IndexPart> removeParts() {
    List<IndexPart> gone = parts == null ? List.of() : parts;
    parts = null;
    return gone;
  }

  /// Gives back what is not used, as nothing more is expected: thousands of finished logs are kept.
  void trim() {
    words = Arrays.copyOf(words, inMemory * 2);
  }

  // --- What an earlier agent left. ---

  /// Puts back what was found: parts in their order, then where memory begins.
  void restore(List<IndexPart> found, long next, long[] floor, long micros, long last) {
    lastMicros = last;
    parts = found.isEmpty() ? null : new ArrayList<>(found);
    memoryStart = next;
    memoryFloor = floor;
    floorMicros = micros;
  }
}
