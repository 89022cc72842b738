package dev.sandpiper.agent.output;

import dev.sandpiper.agent.config.Setting;
import dev.sandpiper.agent.config.Settings;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// The bounds of the output logs.
///
/// @param retentionBytes output kept per process; at least 64 KiB; where `totalBytes` is less, that
/// @param totalBytes output kept for all processes together; 0 means the smaller of 1 GiB and a tenth of the file system's free
///     space at start
/// @param finishedProcesses logs of finished processes that are kept, the newest first
/// @param hold whether a reader that was promised everything may hold a command back
/// @param stallLimit how long such a reader may take for each [#STALL_PROGRESS_BYTES]
public record OutputSettings(
    long retentionBytes,
    long totalBytes,
    int finishedProcesses,
    boolean hold,
    Duration stallLimit) {
  /// What a holding reader has to read per stall limit: 50 KiB a second by default, far below any live client.
  public static final long STALL_PROGRESS_BYTES = 256 * 1024;

  /// For a store that is only read: nothing has to make room.
  public static final OutputSettings READ_ONLY =
      new OutputSettings(1L << 50, 1L << 50, Integer.MAX_VALUE, false, Duration.ofSeconds(5));

  static final long MIN_RETENTION_BYTES = 64 * 1024;
  private static final long MAX_BYTES = 1L << 50;

  static final Setting<Long> RETENTION =
      Setting.size("output-retention")
          .between(MIN_RETENTION_BYTES, MAX_BYTES)
          .defaultsTo(64L << 20)
          .because("output that is kept of one command; the oldest goes first");

  static final Setting<Optional<Long>> TOTAL =
      Setting.size("output-total")
          .between(MIN_RETENTION_BYTES, MAX_BYTES)
          .optional()
          .because(
              "output that is kept of all commands together, finished ones go first;"
                  + " without it the smaller of 1 GiB and a tenth of the free space at start");

  static final Setting<Integer> FINISHED =
      Setting.integer("finished-processes")
          .between(0, 1_000_000)
          .defaultsTo(10_000)
          .because("finished commands whose output is kept, the newest first");

  static final Setting<Boolean> HOLD =
      Setting.bool("hold")
          .defaultsTo(true)
          .because(
              "whether an attached client that is behind by the whole retention holds the command"
                  + " back while it makes progress, instead of being ended at once");

  static final Setting<Duration> STALL_LIMIT =
      Setting.time("stall-limit")
          .between(Duration.ofMillis(10), Duration.ofHours(1))
          .defaultsTo(Duration.ofSeconds(5))
          .because(
              "how long such a client may take to read 256 KiB before it is ended and the command"
                  + " goes on");

  public static final OutputSettings DEFAULT = from(Settings.defaults(all()));

  public OutputSettings {
    if (retentionBytes < MIN_RETENTION_BYTES) {
      throw new IllegalArgumentException(
          "output retention per process must be at least %d bytes, not %d"
              .formatted(MIN_RETENTION_BYTES, retentionBytes));
    }
    if (totalBytes < 0) {
      throw new IllegalArgumentException(
          "output retention in total must not be negative: " + totalBytes);
    }
    if (finishedProcesses < 0) {
      throw new IllegalArgumentException(
          "number of finished processes kept must not be negative: " + finishedProcesses);
    }
    if (stallLimit.isNegative() || stallLimit.isZero()) {
      throw new IllegalArgumentException("stall limit must be positive: " + stallLimit);
    }
  }

  /// The settings of this package.
  public static List<Setting<?>> all() {
    return List.of(RETENTION, TOTAL, FINISHED, HOLD, STALL_LIMIT);
  }

  /// What the settings say.
  public static OutputSettings from(Settings settings) {
    return new OutputSettings(
        settings.get(RETENTION),
        settings.get(TOTAL).orElse(0L),
        settings.get(FINISHED),
        settings.get(HOLD),
        settings.get(STALL_LIMIT));
  }
}
