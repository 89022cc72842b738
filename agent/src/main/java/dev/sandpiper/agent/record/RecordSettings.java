package dev.sandpiper.agent.record;

/// What goes into records: whether output does at all, how much of one command, and how much in one line.
///
/// @param output whether `process_output` records are written; starts and ends of processes are in any case
/// @param capBytes bytes of `message` per command, over both streams
/// @param capRecords records per command, over both streams
/// @param lineLimitBytes bytes of `message` in one record; a longer line leaves in parts
public record RecordSettings(boolean output, long capBytes, int capRecords, int lineLimitBytes) {
  /// As E2B's requirements have them.
  public static final RecordSettings DEFAULTS =
      new RecordSettings(true, 2 * 1024 * 1024, 10_000, 64 * 1024);

  /// Room for any character, and for what a splitter keeps back.
  static final int MIN_LINE_LIMIT_BYTES = 64;

  /// A line waits in memory until it ends.
  static final int MAX_LINE_LIMIT_BYTES = 1024 * 1024;

  public RecordSettings {
    if (capBytes < 0 || capRecords < 0) {
      throw new IllegalArgumentException(
          "caps are 0 or more, not " + capBytes + " bytes and " + capRecords + " records");
    }
    if (lineLimitBytes < MIN_LINE_LIMIT_BYTES || lineLimitBytes > MAX_LINE_LIMIT_BYTES) {
      throw new IllegalArgumentException(
          "a line limit is from " + MIN_LINE_LIMIT_BYTES + " to " + MAX_LINE_LIMIT_BYTES + " bytes, not " + lineLimitBytes);
    }
  }
}
