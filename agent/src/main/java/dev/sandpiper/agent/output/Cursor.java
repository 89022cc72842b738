package dev.sandpiper.agent.output;

import java.nio.ByteBuffer;

/// One reader's place in an [OutputLog].
///
/// The reader asks with [#peek] what lies at its place, takes it, and moves on; on [Step.Idle] it stops asking until the wake
/// callback comes. All methods except [#onWake]'s callback belong to one reader at a time, on any thread. Streams come in the
/// order in which they grew, as finely as the index tells.
///
///     while (true) {
///       switch (cursor.peek(32 * 1024)) {
///         case Data data -> { cursor.read(buffer.clear().limit(data.length())); send(buffer); cursor.advance(data.length()); }
///         case Gap gap -> { sendGap(gap); cursor.skipGap(); }
///         case Mark() -> { sendEnd(); cursor.skipMark(); }
///         case Idle() -> { return; }             // onWake calls this method again
///         case Stalled stalled -> { fail(stalled); cursor.close(); return; }
///         case Drained() -> { cursor.close(); return; }
///       }
///     }
public interface Cursor extends AutoCloseable {
  /// What lies at the cursor.
  sealed interface Step {
    /// `length` bytes of one stream, contiguous in one file and printed at one time: as much as there is, up to the limit asked
    /// for.
    ///
    /// @param offset of the first byte in its stream
    /// @param timeMicros when the first byte of this run reached the log, in microseconds since 1970
    /// @param order number of the index entry, counting over all streams of the process from 0; runs of one order are one
    ///     piece of output
    record Data(StreamName stream, long offset, int length, long timeMicros, long order)
        implements Step {}

    /// Bytes `start` (inclusive) to `end` (exclusive) of a stream are no longer, or never were, in the log.
    record Gap(StreamName stream, long start, long end) implements Step {}

    /// Nothing more for now. The wake callback comes once when that has changed.
    record Idle() implements Step {}

    /// The end of the process lies here ([OutputLog#markEnd]): everything printed before is behind the cursor. Once per cursor.
    record Mark() implements Step {}

    /// Every holder has closed every stream, and all was read. When the end of the process is not known yet, its mark still
    /// follows, and the wake callback tells.
    record Drained() implements Step {}

    /// This reader was promised everything, fell behind by the whole retention and made no progress: its bytes from `offset` of
    /// `stream` on are gone. Final.
    record Stalled(StreamName stream, long offset) implements Step {}
  }

  /// Whether the next [#peek] answers [Step.Stalled]. For a reader that does not ask because its client takes nothing: the wake
  /// callback comes for this even when nothing was armed.
  default boolean isStalled() {
    return false;
  }

  /// What lies here, with at most `maxBytes` of data. Does not move. After [Step.Idle], and after a [Step.Drained] without a
  /// mark, the wake callback is armed, under the lock under which the log grows: no wake-up is lost.
  Step peek(int maxBytes);

  default Step peek() {
    return peek(Integer.MAX_VALUE);
  }

  /// Reads at the current [Step.Data] into a direct buffer, from its position to its limit or the end of the data. Does not move
  /// the cursor. Returns the number of bytes; 0 only when there is no room.
  ///
  /// @throws java.io.UncheckedIOException when the segment cannot be read, naming its file
  int read(ByteBuffer direct);

  /// The file that holds the current [Step.Data], held open until released.
  SegmentRef segment();

  /// Where in [#segment] the current data begins.
  long filePosition();

  /// Moves over `bytes` of the current data.
  void advance(int bytes);

  /// Moves over the current gap.
  void skipGap();

  /// Moves over the mark.
  void skipMark();

  /// The next offset of a stream at this cursor.
  long offset(StreamName stream);

  /// Whether pieces of one stream that follow each other come as one [Step.Data], with time and order of the first. On from the
  /// start for [Promise#EVERYTHING], whose readers want few large messages; off for [Promise#BEST_EFFORT], whose readers want
  /// to know when each piece was printed.
  default void joinRuns(boolean join) {}

  /// Sets what is called, once per [Step.Idle], when there is more. On the pipe loop or on the thread that changed the log; it
  /// must be cheap and wait for nothing. To be set before the first [#peek].
  void onWake(Runnable wake);

  /// Ends the reader, and with it its hold on the command, at once. Any thread; twice is fine.
  @Override
  void close();
}
