package dev.sandpiper.agent.output;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// When the bytes of one stream were printed, as the index has it: an offset's entry, and a time's offset. One thread at a time.
///
/// It remembers the entry it found last, and a window of one index file, so that asking for offset after offset, in either
/// direction, is cheap. Times never decrease with the offset. Below the floor of the index one time stands for all.
public final class StreamTimes {
  private static final int WINDOW_ENTRIES = 512;

  private final OutputLog log;
  private final StreamName stream;

  private long begin;
  private long end;
  private long micros;
  private long order;

  // A window of the file of a part: entries from windowFirst on, and where the stream ended before
  // them.
  private long @Nullable [] window;
  private @Nullable ByteBuffer bytes;
  private @Nullable IndexPart windowPart;
  private long windowFirst;
  private int windowCount;
  private long windowBegin;

  StreamTimes(OutputLog log, StreamName stream) {
    this.log = log;
    this.stream = stream;
  }

  /// Microseconds since 1970 at which the byte that was asked for last was printed.
  public long micros() {
    return micros;
  }

  /// The number of its index entry, over all streams of the log.
  public long order() {
    return order;
  }

  /// Finds the entry of the byte at `offset`, which has been printed.
  public void locate(long offset) {
    if (begin <= offset && offset < end) {
      return;
    }
    IndexPart part;
    int count;
    synchronized (log) {
      Index index = log.index();
      if (index == null) {
        found(offset, offset + 1, 0, 0);
        return;
      }
      if (offset < index.floor(stream)) {
        found(0, index.floor(stream), index.floorMicros(), Math.max(0, index.first() - 1));
        return;
      }
      part = offset >= index.memoryFloor(stream) ? null : index.partAt(stream, offset);
      if (part == null) {
        inMemory(index, offset);
        return;
      }
      count = part.count;
    }
    inFile(part, count, offset);
  }

  private void inMemory(Index index, long offset) {
    long from = index.memoryFloor(stream);
    for (long i = index.memoryStart(); i < index.count(); i++) {
      long word = index.word(i);
      if (Index.streamOf(word) == stream) {
        if (offset < Index.endOf(word)) {
          found(from, Index.endOf(word), index.micros(i), i);
          return;
        }
        from = Index.endOf(word);
      }
    }
    // Only where the index has lost entries.
    found(offset, offset + 1, index.lastMicros(), index.count());
  }

  private void inFile(IndexPart part, int count, long offset) {
    if (windowPart != part || offset < windowBegin) {
      if (!load(part, part.first, count, part.floor[stream.number])) {
        found(offset, offset + 1, part.firstMicros, part.first);
        return;
      }
    }
    while (true) {
      long from = windowBegin;
      long[] words = words();
      for (int i = 0; i < windowCount; i++) {
        long word = words[i * 2];
        if (Index.streamOf(word) == stream) {
          if (offset < Index.endOf(word)) {
            found(from, Index.endOf(word), words[i * 2 + 1], windowFirst + i);
            return;
          }
          from = Index.endOf(word);
        }
      }
      if (!load(part, windowFirst + windowCount, count, from)) {
        found(offset, offset + 1, part.firstMicros, part.first);
        return;
      }
    }
  }

  private boolean load(IndexPart part, long first, int count, long from) {
    ByteBuffer buffer = bytes;
    if (buffer == null) {
      buffer = ByteBuffer.allocateDirect(WINDOW_ENTRIES * IndexPart.ENTRY_BYTES);
      bytes = buffer;
    }
    int most = (int) Math.min(WINDOW_ENTRIES, part.first + count - first);
    if (most <= 0) {
      windowPart = null;
      return false;
    }
    String path = log.store.path(FileName.index(log.processId(), part.first));
    windowPart = part;
    windowFirst = first;
    windowBegin = from;
    windowCount = Math.min(most, part.read(path, first, words(), buffer));
    if (windowCount <= 0) {
      windowPart = null;
      return false;
    }
    return true;
  }

  private long[] words() {
    long[] words = window;
    if (words == null) {
      words = new long[WINDOW_ENTRIES * 2];
      window = words;
    }
    return words;
  }

  private void found(long from, long to, long at, long number) {
    begin = from;
    end = to;
    micros = at;
    order = number;
  }

  /// Where the stream ended just before `time`: every byte below was printed before it, every other one at it or later.
  public long offsetAt(long time) {
    IndexPart part;
    int count;
    synchronized (log) {
      Index index = log.index();
      if (index == null) {
        return 0;
      }
      long first = index.memoryStart();
      boolean memory = first < index.count() && index.micros(first) < time;
      part = memory ? null : index.partBefore(time);
      if (memory) {
        long offset = index.memoryFloor(stream);
        for (long i = first; i < index.count() && index.micros(i) < time; i++) {
          if (Index.streamOf(index.word(i)) == stream) {
            offset = Index.endOf(index.word(i));
          }
        }
        return offset;
      }
      if (part == null) {
        return index.floorMicros() < time ? index.floor(stream) : 0;
      }
      count = part.count;
    }
    long offset = part.floor[stream.number];
    for (long first = part.first; load(part, first, count, offset); first += windowCount) {
      long[] words = words();
      for (int i = 0; i < windowCount; i++) {
        if (words[i * 2 + 1] >= time) {
          return offset;
        }
        if (Index.streamOf(words[i * 2]) == stream) {
          offset = Index.endOf(words[i * 2]);
        }
      }
    }
    return offset;
  }

  /// Gives the window back.
  public void release() {
    window = null;
    bytes = null;
    windowPart = null;
  }
}
