package dev.sandpiper.agent.output;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// One reader's window on the index: what is in memory, and a block of entries of one file. Nothing is allocated as long as all is
/// in memory, which is so for whoever keeps up.
///
/// Under the log's monitor, except for reading the file.
final class IndexBlock {
  private static final int ENTRIES = 256;

  private final long[] words = new long[ENTRIES * 2];
  private final ByteBuffer bytes = ByteBuffer.allocateDirect(ENTRIES * IndexPart.ENTRY_BYTES);
  private long first;
  private int count;

  /// The entry from memory or from the block; 0 when it is in neither.
  static long word(Index index, @Nullable IndexBlock block, long number) {
    if (index.isInMemory(number)) {
      return index.word(number);
    }
    return block == null || !block.holds(number)
        ? 0
        : block.words[(int) (number - block.first) * 2];
  }

  /// The time of an entry that [#word] has.
  static long micros(Index index, @Nullable IndexBlock block, long number) {
    if (index.isInMemory(number)) {
      return index.micros(number);
    }
    return block == null || !block.holds(number)
        ? 0
        : block.words[(int) (number - block.first) * 2 + 1];
  }

  private boolean holds(long number) {
    return number >= first && number < first + count;
  }

  /// Reads the block that begins with entry `number`. Not under the monitor. False when nothing could be read.
  boolean load(OutputLog log, String path, IndexPart part, long number) {
    count = 0;
    int read = part.read(path, number, words, bytes);
    synchronized (log) {
      // What lies behind the entries that count is a batch that is being written.
      count = (int) Math.min(read, part.first + part.count - number);
      first = number;
    }
    return count > 0;
  }
}
