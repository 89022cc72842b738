package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.logs.LogEntry;
import dev.sandpiper.agent.logs.LogGap;
import dev.sandpiper.agent.logs.LogItem;
import dev.sandpiper.agent.logs.LogPosition;
import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import java.util.Map;

/// Entries of the log as text: a bare line, or a flat JSON object by the field names of records.
final class LogText {
  /// What a gap is called where entries have an `event_type`.
  static final String GAP = "gap";

  private LogText() {}

  /// Adds text as UTF-8. By way of an array: `ByteBufUtil.writeUtf8` takes the text character by character, which was a quarter
  /// of the time of a log of short lines.
  static void write(ByteBuf out, CharSequence text) {
    out.writeBytes(text.toString().getBytes(StandardCharsets.UTF_8));
  }

  /// One line without its line end; what an entry has of those (a stack trace of the agent's) is indented.
  static String line(LogItem item, boolean timestamps) {
    String message =
        switch (item) {
          case LogEntry entry -> entry.message();
          case LogGap gap -> "[" + gap.message() + "]";
        };
    String line =
        message.indexOf('\n') < 0 ? message : message.stripTrailing().replace("\n", "\n    ");
    return timestamps ? time(item.timeMicros()) + " " + line : line;
  }

  /// One JSON object on one line.
  static String json(LogItem item) {
    StringBuilder json = new StringBuilder(256);
    json.append("{\"@timestamp\":\"").append(time(item.timeMicros())).append('"');
    switch (item) {
      case LogEntry entry -> entry(json, entry);
      case LogGap gap -> gap(json, gap);
    }
    member(json, "cursor", item.position().token());
    return json.append('}').toString();
  }

  /// The record of an entry as E2B's clients parse it: `level` and `logger` are always there.
  static String record(LogItem item) {
    StringBuilder json = new StringBuilder(256);
    json.append("{\"timestamp\":\"").append(time(item.timeMicros())).append('"');
    switch (item) {
      case LogEntry entry -> entry(json, entry);
      case LogGap gap -> gap(json, gap);
    }
    return json.append('}').toString();
  }

  private static void entry(StringBuilder json, LogEntry entry) {
    member(json, "level", entry.level().name());
    member(json, "logger", entry.logger());
    member(json, "event_type", entry.eventType());
    if (entry.processId() != null) {
      member(json, "pid", entry.pid());
    }
    if (entry.stream() != null) {
      member(json, "stream", entry.stream().text());
      member(json, "offset", entry.offset());
    }
    member(json, "message", entry.message());
    if (entry.processId() != null) {
      member(json, "process_id", entry.processId());
    }
    if (entry.tag() != null) {
      member(json, "tag", entry.tag());
    }
    if (entry.continued()) {
      json.append(",\"continued\":true");
    }
    if (entry.continues()) {
      json.append(",\"continues\":true");
    }
    for (Map.Entry<String, String> field : entry.fields().entrySet()) {
      member(json, field.getKey(), field.getValue());
    }
  }

  private static void gap(StringBuilder json, LogGap gap) {
    member(json, "level", "WARN");
    member(json, "logger", "process");
    member(json, "event_type", GAP);
    member(json, "reason", gap.reason().name().toLowerCase(Locale.ROOT));
    if (gap.processId() != null) {
      member(json, "pid", gap.pid());
      member(json, "process_id", gap.processId());
    }
    if (gap.tag() != null) {
      member(json, "tag", gap.tag());
    }
    if (gap.stream() != null) {
      member(json, "stream", gap.stream().text());
    }
    member(json, "start", gap.start());
    member(json, "end", gap.end());
    member(json, "message", gap.message());
  }

  /// A line that says that the stream lives.
  static String heartbeat(LogPosition position) {
    StringBuilder json = new StringBuilder(128);
    json.append("{\"event_type\":\"heartbeat\"");
    member(json, "cursor", position.token());
    return json.append('}').toString();
  }

  static void member(StringBuilder json, String name, String value) {
    json.append(",\"").append(name).append("\":");
    JsonText.string(json, value);
  }

  private static void member(StringBuilder json, String name, long value) {
    json.append(",\"").append(name).append("\":").append(value);
  }

  /// RFC 3339 with microseconds.
  static String time(long micros) {
    // Instant leaves trailing zeros out; lines that begin with times are to stand below each other.
    Instant time = Instant.EPOCH.plus(micros, ChronoUnit.MICROS);
    String seconds = time.truncatedTo(ChronoUnit.SECONDS).toString();
    long fraction = Math.floorMod(micros, 1_000_000L);
    String digits = Long.toString(1_000_000 + fraction).substring(1);
    return seconds.substring(0, seconds.length() - 1) + "." + digits + "Z";
  }
}
