package dev.sandpiper.agent.cli;

import dev.sandpiper.agent.cli.Screen.Colour;
import dev.sandpiper.proto.v1.Level;
import dev.sandpiper.proto.v1.LogEntry;
import dev.sandpiper.proto.v1.Stream;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/// How log entries are shown.
enum LogFormat {
  /// Time, level or stream, whose it is, message: for people.
  PRETTY,
  /// The message, and before it the time if asked for.
  RAW,
  /// One JSON object per line.
  JSON;

  private static final DateTimeFormatter CLOCK =
      DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss.SSS", Locale.ROOT)
          .withZone(ZoneId.systemDefault());

  static LogFormat parse(String text) {
    for (var format : values()) {
      if (format.name().equalsIgnoreCase(text)) {
        return format;
      }
    }
    throw new IllegalArgumentException("'" + text + "' is not pretty, raw or json");
  }

  String line(LogEntry entry, boolean timestamps, Screen screen) {
    return switch (this) {
      case RAW -> (timestamps ? PsCommand.time(entry.getTimeUs()) + " " : "") + entry.getMessage();
      case JSON -> json(entry);
      case PRETTY -> pretty(entry, screen);
    };
  }

  private static String pretty(LogEntry entry, Screen screen) {
    var line = new StringBuilder(128);
    line.append(screen.paint(CLOCK.format(PsCommand.time(entry.getTimeUs())), Colour.GREY));
    line.append(' ');
    var output = entry.getStream() != Stream.STREAM_UNSPECIFIED;
    var kind = output ? name(entry.getStream()) : name(entry.getLevel());
    line.append(
        screen.paint(
            String.format(Locale.ROOT, "%-8s", kind), colour(entry.getStream(), entry.getLevel())));
    line.append(' ');
    var whose =
        entry.getProcessId().isEmpty()
            ? entry.getLogger()
            : entry.getTag().isEmpty() ? Integer.toUnsignedString(entry.getPid()) : entry.getTag();
    if (!whose.isEmpty()) {
      line.append(screen.paint("[" + PsCommand.printable(whose) + "]", Colour.CYAN)).append(' ');
    }
    // Output may hold escape sequences of its own, which are the command's affair only where it has
    // a terminal of its own.
    return line.append(PsCommand.printable(entry.getMessage())).toString();
  }

  private static Colour colour(Stream stream, Level level) {
    return switch (level) {
      case LEVEL_ERROR -> Colour.RED;
      case LEVEL_WARN -> Colour.YELLOW;
      case LEVEL_INFO, LEVEL_DEBUG, LEVEL_UNSPECIFIED, UNRECOGNIZED ->
          stream == Stream.STREAM_STDERR ? Colour.YELLOW : Colour.GREEN;
    };
  }

  private static String json(LogEntry entry) {
    var line =
        new JsonLine()
            .with("timestamp", PsCommand.time(entry.getTimeUs()).toString())
            .with("level", name(entry.getLevel()))
            .with("event_type", entry.getEventType())
            .with("logger", entry.getLogger())
            .with("process_id", entry.getProcessId());
    if (entry.getPid() != 0) {
      line.with("pid", Integer.toUnsignedLong(entry.getPid()));
    }
    line.with("tag", entry.getTag());
    if (entry.getStream() != Stream.STREAM_UNSPECIFIED) {
      line.with("stream", name(entry.getStream())).with("offset", entry.getOffset());
    }
    entry.getFieldsMap().forEach(line::with);
    // An empty line is a line.
    return line.always("message", entry.getMessage()).with("cursor", entry.getCursor()).toString();
  }

  static String name(Stream stream) {
    return switch (stream) {
      case STREAM_STDOUT -> "stdout";
      case STREAM_STDERR -> "stderr";
      case STREAM_TERMINAL -> "terminal";
      case STREAM_UNSPECIFIED, UNRECOGNIZED -> "";
    };
  }

  private static String name(Level level) {
    return switch (level) {
      case LEVEL_DEBUG -> "debug";
      case LEVEL_INFO -> "info";
      case LEVEL_WARN -> "warn";
      case LEVEL_ERROR -> "error";
      case LEVEL_UNSPECIFIED, UNRECOGNIZED -> "";
    };
  }
}
