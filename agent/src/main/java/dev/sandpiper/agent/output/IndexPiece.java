package dev.sandpiper.agent.output;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Entries of an index that follow each other, as they were at one moment: those of one file, or those in memory.
final class IndexPiece {
  private final @Nullable IndexPart part;
  private final long first;
  private final int count;
  private final long[] inMemory;

  /// Where the streams ended before the first entry, by number.
  final long[] floor;

  IndexPiece(IndexPart part, long first, int count, long[] floor) {
    this.part = part;
    this.first = first;
    this.count = count;
    this.floor = floor;
    this.inMemory = new long[0];
  }

  IndexPiece(long[] words, long first, long[] floor) {
    this.part = null;
    this.first = first;
    this.count = words.length / 2;
    this.floor = floor;
    this.inMemory = words;
  }

  /// The entries, two words each ([Index#streamOf], [Index#endOf], then the time); null when the file is gone or torn. Reads it,
  /// at most 128 KiB, so not under the log's monitor.
  long @Nullable [] words(OutputLog log) {
    IndexPart file = part;
    if (file == null) {
      return inMemory;
    }
    long[] words = new long[count * 2];
    ByteBuffer bytes = ByteBuffer.allocateDirect(count * IndexPart.ENTRY_BYTES);
    String path = log.store.path(FileName.index(log.processId(), first));
    return file.read(path, first, words, bytes) < count ? null : words;
  }

  /// Where each entry begins in its stream: where the one before it of the same stream ended.
  long[] starts(long[] words) {
    long[] ends = Arrays.copyOf(floor, floor.length);
    long[] starts = new long[words.length / 2];
    for (int i = 0; i < starts.length; i++) {
      int stream = Index.streamOf(words[i * 2]).number;
      starts[i] = ends[stream];
      ends[stream] = Index.endOf(words[i * 2]);
    }
    return starts;
  }
}
