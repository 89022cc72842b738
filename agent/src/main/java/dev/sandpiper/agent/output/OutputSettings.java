package dev.sandpiper.agent.output;

import java.time.Duration;

/// The bounds of the output logs.
///
/// @param retentionBytes output kept per process; at least 64 KiB
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
  /// What a holding reader has to read per stall limit: eight full socket buffers of a slow link, far below any live client.
  public static final long STALL_PROGRESS_BYTES = 256 * 1024;

  static final long MIN_RETENTION_BYTES = 64 * 1024;

  public static final OutputSettings DEFAULT =
      new OutputSettings(64L << 20, 0, 10_000, true, Duration.ofSeconds(5));

  public OutputSettings {
    if (retentionBytes < MIN_RETENTION_BYTES) {
      throw new IllegalArgumentException(
          "output retention per process must be at least %d bytes, not %d"
              .formatted(MIN_RETENTION_BYTES, retentionBytes));
    }
    if (totalBytes != 0 && totalBytes < retentionBytes) {
      throw new IllegalArgumentException(
          "output retention in total (%d bytes) must not be below that of one process (%d bytes)"
              .formatted(totalBytes, retentionBytes));
    }
    if (finishedProcesses < 0) {
      throw new IllegalArgumentException(
          "number of finished processes kept must not be negative: " + finishedProcesses);
    }
    if (stallLimit.isNegative() || stallLimit.isZero()) {
      throw new IllegalArgumentException("stall limit must be positive: " + stallLimit);
    }
  }

  /// An eighth, so that dropping one segment costs a reader little; files stay below 2 GiB.
  long segmentBytes() {
    return Math.min(retentionBytes / 8, 1L << 30);
  }
}
