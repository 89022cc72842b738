package dev.sandpiper.agent.record;

/// How far the records of one process have come: small, and enough to go on from in another run of the agent with the
/// same `seq`, the same caps and the same parts.
///
/// It speaks of records that lie in the batch, or have left before it; [RecordLedger] keeps it together with the batch.
///
/// @param seq the number of the last record; 0 before the first
/// @param capBytesLeft what may still be emitted, in bytes of `message`
/// @param capRecordsLeft what may still be emitted, in records
/// @param truncated whether the marker has left
/// @param started whether `process_start` has left
/// @param ended whether `process_end` has left
public record EmitterPosition(
    long seq,
    long capBytesLeft,
    int capRecordsLeft,
    boolean truncated,
    boolean started,
    boolean ended,
    StreamPosition stdout,
    StreamPosition stderr) {
  /// Before the first byte.
  static EmitterPosition beginning(RecordSettings settings) {
    return new EmitterPosition(
        0,
        settings.capBytes(),
        settings.capRecords(),
        false,
        false,
        false,
        StreamPosition.BEGINNING,
        StreamPosition.BEGINNING);
  }

  /// Of a process of which nothing more is to be told.
  static final EmitterPosition TOLD =
      new EmitterPosition(
          0, 0, 0, true, true, true, StreamPosition.BEGINNING, StreamPosition.BEGINNING);

  /// Where one stream stands.
  ///
  /// @param offset of the first byte that is in no record yet
  /// @param lineOffset of the first byte of the line it belongs to
  /// @param lineMicros when that byte was printed, in microseconds since 1970; 0 while no part has left
  /// @param parts of that line which have left
  /// @param continued whether the line before was ended by the end of the process, so that a line end alone is no line
  public record StreamPosition(
      long offset, long lineOffset, long lineMicros, int parts, boolean continued) {
    static final StreamPosition BEGINNING = new StreamPosition(0, 0, 0, 0, false);
  }
}
