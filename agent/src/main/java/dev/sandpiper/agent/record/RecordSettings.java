package dev.sandpiper.agent.record;

import dev.sandpiper.agent.config.Setting;
import dev.sandpiper.agent.config.Settings;
import java.util.List;

/// What goes into records: whether output does at all, how much of one command, and how much in one line.
///
/// @param output whether `process_output` records are written; starts and ends of processes are in any case
/// @param capBytes bytes of `message` per command, over both streams
/// @param capRecords records per command, over both streams
/// @param lineLimitBytes bytes of `message` in one record; a longer line leaves in parts
public record RecordSettings(boolean output, long capBytes, int capRecords, int lineLimitBytes) {
  /// Room for any character, and for what a splitter keeps back.
  static final int MIN_LINE_LIMIT_BYTES = 64;

  /// A line waits in memory until it ends.
  static final int MAX_LINE_LIMIT_BYTES = 1024 * 1024;

  static final Setting<Boolean> OUTPUT =
      Setting.bool("output-records")
          .defaultsTo(true)
          .because("whether the lines that commands print leave as process_output records");

  static final Setting<Long> CAP_BYTES =
      Setting.size("output-record-bytes")
          .between(0L, 1L << 40)
          .defaultsTo(2L << 20)
          .because("text of one command that leaves as records, both streams together");

  static final Setting<Integer> CAP_RECORDS =
      Setting.integer("output-record-count")
          .between(0, Integer.MAX_VALUE)
          .defaultsTo(10_000)
          .because("process_output records of one command, both streams together");

  static final Setting<Long> LINE_LIMIT =
      Setting.size("output-record-line")
          .between((long) MIN_LINE_LIMIT_BYTES, (long) MAX_LINE_LIMIT_BYTES)
          .defaultsTo(64L << 10)
          .because("text in one process_output record; a longer line leaves in parts");

  /// As E2B's requirements have them.
  public static final RecordSettings DEFAULTS = from(Settings.defaults(all()));

  public RecordSettings {
    if (capBytes < 0 || capRecords < 0) {
      throw new IllegalArgumentException(
          "caps are 0 or more, not " + capBytes + " bytes and " + capRecords + " records");
    }
    if (lineLimitBytes < MIN_LINE_LIMIT_BYTES || lineLimitBytes > MAX_LINE_LIMIT_BYTES) {
      throw new IllegalArgumentException(
          "a line limit is from %d to %d bytes, not %d"
              .formatted(MIN_LINE_LIMIT_BYTES, MAX_LINE_LIMIT_BYTES, lineLimitBytes));
    }
  }

  /// The settings of this package.
  public static List<Setting<?>> all() {
    return List.of(OUTPUT, CAP_BYTES, CAP_RECORDS, LINE_LIMIT);
  }

  /// What the settings say.
  public static RecordSettings from(Settings settings) {
    return new RecordSettings(
        settings.get(OUTPUT),
        settings.get(CAP_BYTES),
        settings.get(CAP_RECORDS),
        Math.toIntExact(settings.get(LINE_LIMIT)));
  }
}
