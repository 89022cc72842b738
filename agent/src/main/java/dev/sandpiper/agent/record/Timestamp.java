package dev.sandpiper.agent.record;

import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;

/// Writes RFC 3339 times in UTC with microseconds, such as `2026-11-21T11:48:32.000123Z`.
///
/// Records come by the thousand within one second, so the digits of the second are kept. Not thread-safe.
public final class Timestamp {
  public static final int LENGTH = "2026-11-21T11:48:32.000123Z".length();

  private static final long MICROS = 1_000_000;

  private final byte[] text = new byte[LENGTH];
  private long second = Long.MIN_VALUE;

  static long micros(Instant instant) {
    return ChronoUnit.MICROS.between(Instant.EPOCH, instant);
  }

  /// Writes [#LENGTH] bytes of ASCII at `at`. Returns the position behind them.
  public int write(long epochMicros, byte[] out, int at) {
    long epochSecond = Math.floorDiv(epochMicros, MICROS);
    if (epochSecond != second) {
      prepare(epochSecond);
    }
    digits(text, 20, 6, (int) Math.floorMod(epochMicros, MICROS));
    System.arraycopy(text, 0, out, at, LENGTH);
    return at + LENGTH;
  }

  private void prepare(long epochSecond) {
    second = epochSecond;
    var time = LocalDateTime.ofEpochSecond(epochSecond, 0, ZoneOffset.UTC);
    digits(text, 0, 4, time.getYear());
    text[4] = '-';
    digits(text, 5, 2, time.getMonthValue());
    text[7] = '-';
    digits(text, 8, 2, time.getDayOfMonth());
    text[10] = 'T';
    digits(text, 11, 2, time.getHour());
    text[13] = ':';
    digits(text, 14, 2, time.getMinute());
    text[16] = ':';
    digits(text, 17, 2, time.getSecond());
    text[19] = '.';
    text[26] = 'Z';
  }

  private static void digits(byte[] out, int at, int count, int value) {
    int rest = value;
    for (int i = at + count - 1; i >= at; i--) {
      out[i] = (byte) ('0' + rest % 10);
      rest /= 10;
    }
  }
}
