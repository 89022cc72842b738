package dev.sandpiper.agent.logs;

import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;

/// What a query asks of an entry besides its place: compiled once, used by one reading.
final class Matching {
  /// What a regular expression may look at, in characters: so many, and so many times the length of the text.
  private static final long STEPS = 100_000;

  private static final long STEPS_PER_CHARACTER = 200;

  private final LogQuery query;
  private final @Nullable Pattern pattern;

  /// The text to search for as bytes; null where bytes do not decide.
  private final byte @Nullable [] needle;

  Matching(LogQuery query) throws LogFailure {
    this.query = query;
    this.pattern = query.regex() == null ? null : compile(query.regex());
    String search = query.search();
    // U+FFFD in a message may stand for anything that is no UTF-8, and a lone surrogate is in none.
    this.needle =
        search == null || search.isEmpty() || search.indexOf('\uFFFD') >= 0 || !isText(search)
            ? null
            : search.getBytes(StandardCharsets.UTF_8);
  }

  private static boolean isText(String text) {
    return StandardCharsets.UTF_8.newEncoder().canEncode(text);
  }

  private static Pattern compile(String regex) throws LogFailure {
    if (regex.length() > LogQuery.MOST_PATTERN) {
      throw new LogFailure(
          LogFailure.Reason.INVALID,
          "regex: %d characters, at most %d are taken"
              .formatted(regex.length(), LogQuery.MOST_PATTERN));
    }
    try {
      return Pattern.compile(regex);
    } catch (PatternSyntaxException wrong) {
      throw new LogFailure(LogFailure.Reason.INVALID, "regex: " + wrong.getMessage());
    } catch (StackOverflowError _) {
      throw new LogFailure(LogFailure.Reason.INVALID, "regex: nested too deeply");
    }
  }

  boolean wantsOutput() {
    return isType(LogEntry.OUTPUT) && (query.namesProcess() || isSerious(LogEntry.OUTPUT_LEVEL));
  }

  /// Starts or ends.
  boolean wantsEvent(String type) {
    return query.stream() == null && isType(type) && isSerious(LogEntry.OUTPUT_LEVEL);
  }

  boolean wantsAgent() {
    return query.stream() == null && !query.namesProcess() && isType(LogEntry.AGENT);
  }

  boolean isSerious(LogLevel level) {
    return query.level() == null || level.compareTo(query.level()) >= 0;
  }

  private boolean isType(String type) {
    return query.eventType() == null || query.eventType().equals(type);
  }

  /// The bytes that every match holds; null when there are none.
  byte @Nullable [] needle() {
    return needle;
  }

  /// Whether bytes that hold the needle match, without being looked at as text.
  boolean needleDecides() {
    return pattern == null && (needle != null || query.search() == null);
  }

  /// Whether a message matches.
  ///
  /// @param where to name in a failure
  boolean matches(String message, LogPosition where) throws LogFailure {
    String search = query.search();
    if (search != null && !message.contains(search)) {
      return false;
    }
    if (pattern == null) {
      return true;
    }
    try {
      return pattern
          .matcher(new Counted(message, STEPS + STEPS_PER_CHARACTER * message.length()))
          .find();
    } catch (TooMuch | StackOverflowError _) {
      throw new LogFailure(
          LogFailure.Reason.EXHAUSTED,
          "regex: too much work on the %d characters of an entry of %s at offset %d; write it without nested repetition"
              .formatted(message.length(), where.processId(), where.offset()));
    }
  }

  /// The place of `needle` in `bytes[from, to)`, or -1.
  static int indexOf(byte[] bytes, int from, int to, byte[] needle) {
    byte first = needle[0];
    int last = to - needle.length;
    int end = needle.length - 1;
    byte final_ = needle[end];
    for (int i = from; i <= last; i++) {
      if (bytes[i] == first && bytes[i + end] == final_ && rest(bytes, i, needle)) {
        return i;
      }
    }
    return -1;
  }

  private static boolean rest(byte[] bytes, int at, byte[] needle) {
    for (int i = 1; i < needle.length - 1; i++) {
      if (bytes[at + i] != needle[i]) {
        return false;
      }
    }
    return true;
  }

  /// The step budget is used up.
  private static final class TooMuch extends RuntimeException {
    @java.io.Serial private static final long serialVersionUID = 1L;

    TooMuch() {
      super(null, null, false, false);
    }
  }

  /// A text that counts how often it is looked at: backtracking looks again and again.
  private static final class Counted implements CharSequence {
    private final String text;
    private long left;

    Counted(String text, long left) {
      this.text = text;
      this.left = left;
    }

    @Override
    public char charAt(int index) {
      if (--left < 0) {
        throw new TooMuch();
      }
      return text.charAt(index);
    }

    @Override
    public int length() {
      return text.length();
    }

    @Override
    public CharSequence subSequence(int start, int end) {
      return text.subSequence(start, end); // Groups only, which nobody asks for.
    }

    @Override
    public String toString() {
      return text;
    }
  }
}
