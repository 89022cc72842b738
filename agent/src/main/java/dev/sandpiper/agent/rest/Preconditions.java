package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.Headers;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.temporal.ChronoField;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/// Conditional requests (RFC 9110, section 13) for files that have a time of change and no entity tag.
final class Preconditions {
  enum Outcome {
    PROCEED,
    NOT_MODIFIED,
    FAILED
  }

  /// RFC 1123, RFC 850 and asctime, in that order: senders use the first, receivers know all three.
  private static final List<DateTimeFormatter> FORMATS =
      List.of(
          pattern("EEE, dd MMM yyyy HH:mm:ss 'GMT'"),
          new DateTimeFormatterBuilder()
              .appendPattern("EEEE, dd-MMM-")
              .appendValueReduced(ChronoField.YEAR, 2, 2, 1970)
              .appendPattern(" HH:mm:ss 'GMT'")
              .toFormatter(Locale.US),
          pattern("EEE MMM ppd HH:mm:ss yyyy"));

  private static final String DAYS = "MonTueWedThuFriSatSun";
  private static final String MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";

  private Preconditions() {}

  private static DateTimeFormatter pattern(String pattern) {
    return DateTimeFormatter.ofPattern(pattern, Locale.US);
  }

  /// What the request's conditions mean for a file.
  ///
  /// @param modifiedSecond when the file was changed, whole seconds since the epoch; 0 where it is not known
  static Outcome check(Headers request, long modifiedSecond) {
    String match = request.get("if-match");
    if (match != null) {
      if (!hasStar(match)) {
        return Outcome.FAILED; // no file has a tag
      }
    } else {
      OptionalLong unmodifiedSince = time(request.get("if-unmodified-since"));
      if (unmodifiedSince.isPresent()
          && modifiedSecond != 0
          && modifiedSecond > unmodifiedSince.getAsLong()) {
        return Outcome.FAILED;
      }
    }
    String noneMatch = request.get("if-none-match");
    if (noneMatch != null) {
      return hasStar(noneMatch) ? Outcome.NOT_MODIFIED : Outcome.PROCEED;
    }
    OptionalLong modifiedSince = time(request.get("if-modified-since"));
    return modifiedSince.isPresent()
            && modifiedSecond != 0
            && modifiedSecond <= modifiedSince.getAsLong()
        ? Outcome.NOT_MODIFIED
        : Outcome.PROCEED;
  }

  /// Whether a `Range` header counts: without `If-Range`, or where that names exactly the time of change.
  static boolean rangeApplies(Headers request, long modifiedSecond) {
    String condition = request.get("if-range");
    if (condition == null) {
      return true;
    }
    OptionalLong time = time(condition);
    return time.isPresent() && modifiedSecond != 0 && time.getAsLong() == modifiedSecond;
  }

  private static boolean hasStar(String tags) {
    for (String tag : tags.split(",", -1)) {
      if (tag.strip().equals("*")) {
        return true;
      }
    }
    return false;
  }

  /// The value of a `Last-Modified` header. Written by hand: every download has one, and a formatter took a tenth of the
  /// time of a small one.
  static String format(long second) {
    LocalDateTime time = LocalDateTime.ofInstant(Instant.ofEpochSecond(second), ZoneOffset.UTC);
    if (time.getYear() < 0 || time.getYear() > 9999) {
      return FORMATS.getFirst().format(time);
    }
    int day = 3 * (time.getDayOfWeek().getValue() - 1);
    int month = 3 * (time.getMonthValue() - 1);
    StringBuilder text = new StringBuilder(29);
    text.append(DAYS, day, day + 3).append(',');
    twoDigits(text.append(' '), time.getDayOfMonth());
    text.append(' ').append(MONTHS, month, month + 3);
    twoDigits(text.append(' '), time.getYear() / 100);
    twoDigits(text, time.getYear() % 100);
    twoDigits(text.append(' '), time.getHour());
    twoDigits(text.append(':'), time.getMinute());
    twoDigits(text.append(':'), time.getSecond());
    return text.append(" GMT").toString();
  }

  private static void twoDigits(StringBuilder text, int number) {
    text.append((char) ('0' + number / 10)).append((char) ('0' + number % 10));
  }

  /// Seconds since the epoch; empty where there is no time in the header.
  static OptionalLong time(@Nullable String header) {
    if (header == null) {
      return OptionalLong.empty();
    }
    for (DateTimeFormatter format : FORMATS) {
      try {
        return OptionalLong.of(
            LocalDateTime.parse(header.strip(), format).toEpochSecond(ZoneOffset.UTC));
      } catch (DateTimeException _) {
        // not in this format
      }
    }
    return OptionalLong.empty();
  }
}
