package dev.sandpiper.agent.record;

import dev.sandpiper.agent.output.StreamName;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/// Every record of this package as JSON: names, order and types of all fields are in this class.
///
/// What repeats within the output of one process is made once, by [#select]; the rest is copying. Not thread-safe.
final class RecordEncoder {
  /// Exactly as E2B's requirement has it; retrieval tests compare it.
  static final String TRUNCATED = "[output truncated: command exceeded log capture limit]";

  // Encoded bytes. What callers name is cut here, so that a record stays below what shippers take
  // (192 KiB) with a
  // message of twice the default line limit.
  private static final int MOST_ID = 512;
  private static final int MOST_TAG = 4 * 1024;
  private static final int MOST_TEXT = 32 * 1024;
  // All names, punctuation and numbers of any record here, with room to spare.
  private static final int FRAME = 1024;
  // Up to so many raw bytes the worst case is reserved; above, measuring costs less than a batch
  // cut short.
  private static final int RESERVE_UNMEASURED = 1024;

  private static final byte[] TIME = "{\"@timestamp\":\"".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] PARTIAL_ID = ",\"partial_id\":\"".getBytes(StandardCharsets.US_ASCII);

  private final RecordBuffer out;
  private final Timestamp timestamp = new Timestamp();
  private final JsonText.Measure measure = new JsonText.Measure();

  private @Nullable Subject selected;
  private byte[] stdoutHead = {};
  private byte[] stderrHead = {};
  private byte[] tail = {};
  private byte[] idTail = {};

  RecordEncoder(RecordBuffer out) {
    this.out = out;
  }

  /// Whose records they are.
  record Subject(String processId, int pid, @Nullable String tag) {}

  /// The process whose output comes next.
  void select(Subject subject) {
    if (subject.equals(selected)) {
      return;
    }
    selected = subject;
    stdoutHead = head(subject, StreamName.STDOUT);
    stderrHead = head(subject, StreamName.STDERR);
    byte[] id = json(subject.processId(), MOST_ID);
    byte[] tag = subject.tag() == null ? new byte[0] : json(subject.tag(), MOST_TAG);
    var ids = new StringBuilder("\",\"process_id\":\"").append(latin(id)).append('"');
    if (subject.tag() != null) {
      ids.append(",\"tag\":\"").append(latin(tag)).append('"');
    }
    tail = ids.append(",\"seq\":").toString().getBytes(StandardCharsets.ISO_8859_1);
    idTail = id;
  }

  private static byte[] head(Subject subject, StreamName stream) {
    return ("\",\"level\":\"INFO\",\"logger\":\"process\",\"event_type\":\"process_output\",\"pid\":"
            + subject.pid()
            + ",\"stream\":\""
            + stream.text()
            + "\",\"message\":\"")
        .getBytes(StandardCharsets.US_ASCII);
  }

  /// Bytes as a string of as many characters; back again with the same character set.
  private static String latin(byte[] bytes) {
    return new String(bytes, StandardCharsets.ISO_8859_1);
  }

  private byte[] json(String text, int most) {
    byte[] raw = text.getBytes(StandardCharsets.UTF_8);
    measure.clear();
    measure.advance(raw, 0, raw.length, true, Long.MAX_VALUE, most);
    byte[] encoded = new byte[measure.encodedBytes()];
    new JsonText().write(raw, 0, measure.rawBytes(), encoded, 0);
    return encoded;
  }

  /// A line, or part of one (`part` as [LineSplitter.Sink] has it), of the selected process. Returns the bytes of its
  /// `message`.
  int output(
      StreamName stream,
      byte[] raw,
      int from,
      int to,
      long lineOffset,
      long micros,
      int part,
      long seq) {
    out.begin(FRAME + tail.length + idTail.length + room(raw, from, to));
    out.put(TIME, TIME.length);
    out.time(timestamp, micros);
    byte[] head = stream == StreamName.STDOUT ? stdoutHead : stderrHead;
    out.put(head, head.length);
    int textBytes = out.text(raw, from, to);
    out.put(tail, tail.length);
    out.number(seq);
    if (part != 0) {
      // The same on every run, so that parts still match when an agent goes on where another
      // stopped.
      out.put(PARTIAL_ID, PARTIAL_ID.length);
      out.put(idTail, idTail.length);
      out.put((byte) ':');
      out.ascii(stream.text());
      out.put((byte) ':');
      out.number(lineOffset);
      out.put((byte) '"');
      out.field("partial_ordinal", Math.abs(part));
      out.field("partial_last", part < 0 ? "true" : "false", FRAME);
    }
    out.put((byte) '}');
    out.end();
    return textBytes;
  }

  /// What a text takes at most: a character is three bytes, or six escaped.
  private static int room(String text, int most) {
    return (int) Math.min(most, (long) text.length() * JsonText.MAX_GROWTH);
  }

  private int room(byte[] raw, int from, int to) {
    int length = to - from;
    if (length <= RESERVE_UNMEASURED) {
      return length * JsonText.MAX_GROWTH;
    }
    measure.clear();
    measure.advance(raw, from, length, true, Long.MAX_VALUE, Long.MAX_VALUE);
    return measure.encodedBytes();
  }

  /// The one record that tells of a reached cap.
  void truncated(Subject subject, StreamName stream, Instant at, long seq) {
    begin(subject, at, "WARN", "process_output", 0);
    out.field("pid", subject.pid());
    out.field("stream", stream.text(), FRAME);
    out.field("message", TRUNCATED, FRAME);
    identity(subject);
    finish(seq);
  }

  void missed(Subject subject, StreamName stream, long start, long end, Instant at, long seq) {
    begin(subject, at, "WARN", "records_missed", 0);
    out.field("pid", subject.pid());
    out.field("stream", stream.text(), FRAME);
    out.field(
        "message",
        (end - start)
            + " bytes of "
            + stream.text()
            + " were removed before they could be recorded",
        FRAME);
    identity(subject);
    out.field("start_offset", start);
    out.field("end_offset", end);
    out.field("missed_bytes", end - start);
    finish(seq);
  }

  /// The output of a process cannot be read any more; what is missing is not known.
  void unreadable(Subject subject, String why, Instant at, long seq) {
    begin(subject, at, "ERROR", "records_missed", room(why, MOST_TEXT));
    out.field("pid", subject.pid());
    out.field(
        "message", "the rest of the output cannot be recorded: " + why, MOST_TEXT + FRAME / 2);
    identity(subject);
    finish(seq);
  }

  void started(Subject subject, ProcessFacts facts) {
    begin(
        subject,
        facts.startedAt(),
        "INFO",
        "process_start",
        room(facts.command(), MOST_TEXT) + room(facts.user(), MOST_ID));
    out.field("pid", subject.pid());
    out.field("message", "Process with pid " + subject.pid() + " started", FRAME);
    identity(subject);
    out.field("command", facts.command(), MOST_TEXT);
    out.field("user", facts.user(), MOST_ID);
    var timeLimit = facts.timeLimit();
    if (timeLimit != null) {
      out.field("request_timeout_ms", timeLimit.toMillis());
    }
    finish();
  }

  void ended(Subject subject, EndFacts facts) {
    var error = facts.error() == null ? "" : facts.error();
    begin(
        subject,
        facts.endedAt(),
        "INFO",
        "process_end",
        room(facts.status(), MOST_TEXT) + room(error, MOST_TEXT));
    out.field("pid", subject.pid());
    out.field("message", "Process with pid " + subject.pid() + " ended", FRAME);
    identity(subject);
    out.field("exit_code", facts.exitCode());
    out.field("exited", facts.exited() ? "true" : "false", FRAME);
    out.field("status", facts.status(), MOST_TEXT);
    if (!error.isEmpty()) {
      out.field("error", error, MOST_TEXT);
    }
    out.field("stdout_bytes", facts.stdoutBytes());
    out.field("stderr_bytes", facts.stderrBytes());
    out.field("pty_bytes", facts.ptyBytes());
    finish();
  }

  /// What standard output did not take, as far as it was not told before.
  void dropped(RecordDrops.Counts counts, Instant at) {
    out.begin(FRAME);
    head(at, "WARN", "record", "records_dropped");
    out.field("message", counts.toString(), FRAME);
    out.field("dropped_lines", counts.lines());
    out.field("dropped_log_lines", counts.logLines());
    out.field("dropped_processes", counts.processes());
    finish();
  }

  /// The first line after another agent was stopped while it wrote; `lines` that it may have written follow. Not into the
  /// batch.
  static byte[] repeated(int lines, Instant at) {
    var alone = new RecordBuffer((_, _) -> {});
    var encoder = new RecordEncoder(alone);
    alone.begin(FRAME);
    encoder.head(at, "WARN", "record", "records_repeated");
    alone.field(
        "message",
        "the agent before this one was stopped while it wrote: the "
            + lines
            + " lines that follow may be there already, with the same process_id and seq",
        FRAME);
    alone.field("repeated_lines", lines);
    encoder.finish();
    return alone.take();
  }

  private void begin(Subject subject, Instant at, String level, String eventType, int room) {
    var tag = subject.tag();
    out.begin(
        FRAME
            + room(subject.processId(), MOST_ID)
            + (tag == null ? 0 : room(tag, MOST_TAG))
            + room);
    head(at, level, "process", eventType);
  }

  private void head(Instant at, String level, String logger, String eventType) {
    out.put(TIME, TIME.length);
    out.time(timestamp, Timestamp.micros(at));
    out.put((byte) '"');
    out.field("level", level, FRAME);
    out.field("logger", logger, FRAME);
    out.field("event_type", eventType, FRAME);
  }

  private void identity(Subject subject) {
    out.field("process_id", subject.processId(), MOST_ID);
    var tag = subject.tag();
    if (tag != null) {
      out.field("tag", tag, MOST_TAG);
    }
  }

  private void finish(long seq) {
    out.field("seq", seq);
    finish();
  }

  private void finish() {
    out.put((byte) '}');
    out.end();
  }
}
