package dev.sandpiper.agent.output;

import java.util.Set;

/// Everything that one process printed. Thread-safe.
@SuppressWarnings("DoNotCallSuggester")
public final class OutputLog {
  OutputLog() {}

  public String processId() {
    throw new UnsupportedOperationException();
  }

  public Set<StreamName> streams() {
    throw new UnsupportedOperationException();
  }

  /// Takes over the source of a stream; from now on its bytes go into the log. Any thread.
  public void attach(StreamName stream, OutputSource source) {
    throw new UnsupportedOperationException();
  }

  /// Moves what is readable now into the log, at most 1 MiB per stream. On the pipe loop only. Returns whether nothing
  /// readable is left: false when the bound was hit, or a reader holds the process.
  public boolean drainNow() {
    throw new UnsupportedOperationException();
  }

  /// Whether every holder of every stream has closed it, and all bytes are in the log.
  public boolean drained() {
    throw new UnsupportedOperationException();
  }

  /// Calls `listener` once, on the pipe loop, when the log is drained (at once if it is).
  public void onDrained(Runnable listener) {
    throw new UnsupportedOperationException();
  }

  /// Puts the end of the process here: after every byte that is in the log now. Once; later calls have no effect. Any thread.
  public void markEnd() {
    throw new UnsupportedOperationException();
  }

  /// The first offset of a stream that is still kept.
  public long startOffset(StreamName stream) {
    throw new UnsupportedOperationException();
  }

  /// Bytes printed to a stream so far.
  public long endOffset(StreamName stream) {
    throw new UnsupportedOperationException();
  }

  /// A new reader.
  ///
  /// @throws IllegalArgumentException when an offset of `from` lies beyond the end of its stream
  public Cursor cursor(Position from, Promise promise) {
    throw new UnsupportedOperationException();
  }

  /// Whether every byte went straight from pipe to file in the kernel, so that a crash of the agent loses none.
  public boolean crashExact() {
    throw new UnsupportedOperationException();
  }

  /// The index when it is small enough for the process's end entry in the journal, else empty: then it is in files of its own.
  public byte[] smallIndex() {
    throw new UnsupportedOperationException();
  }

  /// The process has ended. Once the log is drained too it counts as finished: kept, and the first to be evicted.
  public void finish() {
    throw new UnsupportedOperationException();
  }

  /// Removes the log and its files. Its readers are told of a gap up to the end. Any thread.
  public void delete() {
    throw new UnsupportedOperationException();
  }
}
