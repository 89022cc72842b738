package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.record.Timestamp;
import java.nio.charset.StandardCharsets;

/// How lines look: `[2026-11-21T11:48:32.000123Z] [stdout] text`. Times are in UTC (RFC 3339), those at which the lines were
/// completed. What is not UTF-8 is U+FFFD.
///
/// Not thread-safe.
final class LineFormat {
  private final boolean timestamps;
  private final boolean tags;
  private final long fallbackMicros;
  private final Timestamp timestamp = new Timestamp();
  private final byte[] time = new byte[Timestamp.LENGTH];

  /// @param timestamps whether lines begin with their time
  /// @param tags whether they name their stream
  /// @param fallbackMicros for lines whose time is not known any more
  LineFormat(boolean timestamps, boolean tags, long fallbackMicros) {
    this.timestamps = timestamps;
    this.tags = tags;
    this.fallbackMicros = fallbackMicros;
  }

  /// Appends a line, without a line end.
  void append(StringBuilder out, StreamName stream, byte[] bytes, int from, int to, long micros) {
    if (timestamps) {
      timestamp.write(micros > 0 ? micros : fallbackMicros, time, 0);
      out.append('[').append(new String(time, StandardCharsets.US_ASCII)).append("] ");
    }
    if (tags) {
      out.append('[').append(stream.text()).append("] ");
    }
    out.append(new String(bytes, from, to - from, StandardCharsets.UTF_8));
  }
}
