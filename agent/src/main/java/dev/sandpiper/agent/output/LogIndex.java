package dev.sandpiper.agent.output;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The index of one log and its files: an [Index] from the first byte on, and the writing of its batches. On the pipe loop;
/// what changes the index does so under the log's monitor, which is never held while a file is written.
final class LogIndex {
  private final OutputLog log;
  private final OutputStore store;

  /// Guarded by the log's monitor; null before the first byte and after the deletion.
  private @Nullable Index index;

  LogIndex(OutputLog log) {
    this.log = log;
    this.store = log.store;
  }

  /// Under the monitor.
  @Nullable Index get() {
    return index;
  }

  /// Under the monitor.
  void restore(@Nullable Index found) {
    index = found;
  }

  /// Under the monitor. Whether memory is full, and [#write] is to be called outside.
  boolean append(StreamLog stream, long micros) {
    if (index == null) {
      index = new Index();
    }
    index.append(stream.name, stream.end, micros);
    return index.isFull();
  }

  /// Under the monitor.
  void seal() {
    if (index != null) {
      index.seal();
    }
  }

  /// Under the monitor. The parts that speak only of what is gone, to be removed outside.
  List<IndexPart> prune(long[] starts) {
    return index == null ? List.of() : index.prune(starts, Integer.MAX_VALUE);
  }

  /// Writes a batch, or at the end all; then an index that is small enough for the journal gets no file.
  void write(boolean all) {
    IndexPart part;
    long[] batch;
    synchronized (log) {
      if (index == null || index.inMemory() == 0) {
        return;
      }
      if (all && !index.hasParts() && SmallIndex.fits(index)) {
        return;
      }
      part = index.partForBatch();
      batch = index.batch(all);
    }
    long result = part.write(path(part), batch, store.buffer());
    List<IndexPart> gone;
    synchronized (log) {
      if (index == null) {
        return;
      }
      if (result == 0) {
        index.written(part, batch);
        gone = index.prune(log.all().starts(), store.maxIndexParts());
      } else {
        gone = new ArrayList<>(index.lost(batch));
        gone.add(part);
      }
    }
    if (result != 0) {
      store.indexFailed(log, result);
    }
    remove(gone);
  }

  /// Writes all there is to write; nothing more is expected.
  void finish() {
    write(true);
    synchronized (log) {
      if (index != null) {
        index.trim();
      }
    }
  }

  void delete() {
    List<IndexPart> parts;
    synchronized (log) {
      parts = index == null ? List.of() : index.removeParts();
      index = null;
    }
    remove(parts);
  }

  void remove(List<IndexPart> parts) {
    for (IndexPart part : parts) {
      store.remove(FileName.index(log.processId(), part.first));
    }
  }

  /// Any thread.
  String path(IndexPart part) {
    return store.path(FileName.index(log.processId(), part.first));
  }
}
