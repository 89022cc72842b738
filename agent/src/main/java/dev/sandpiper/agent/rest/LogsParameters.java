package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.BadQueryException;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.Query;
import dev.sandpiper.agent.logs.LogEntry;
import dev.sandpiper.agent.logs.LogFailure;
import dev.sandpiper.agent.logs.LogLevel;
import dev.sandpiper.agent.logs.LogPosition;
import dev.sandpiper.agent.logs.LogQuery;
import dev.sandpiper.agent.output.StreamName;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What a request for logs asks for. A parameter that is not known is refused like a value that makes no sense: a filter
/// with a typing error in its name would be answered with what it was to keep out.
///
/// @param timestamps whether lines of plain text begin with their time
record LogsParameters(LogQuery query, Form form, boolean timestamps) {
  /// How the answer is written.
  enum Form {
    TEXT("text/plain"),
    NDJSON("application/x-ndjson"),
    EVENTS("text/event-stream");

    private final String type;

    Form(String type) {
      this.type = type;
    }

    String type() {
      return type;
    }
  }

  /// Asks for entries of every kind in plain text, which shows output only otherwise.
  private static final String ANY = "any";

  private static final Set<String> NAMES =
      Set.of(
          "follow",
          "tail",
          "timestamps",
          "pid",
          "id",
          "tag",
          "stream",
          "level",
          "event_type",
          "start",
          "end",
          "search",
          "regex",
          "limit",
          "direction",
          "cursor");

  /// Reads query, `Accept` and `Last-Event-ID`.
  ///
  /// @throws BadQueryException naming the parameter
  static LogsParameters of(HttpExchange exchange) throws BadQueryException {
    Query query = Query.parse(exchange.query());
    for (String name : query.names()) {
      if (!NAMES.contains(name)) {
        throw new BadQueryException("Unknown parameter " + name);
      }
    }
    Form form = form(exchange.requestHeaders().all("accept"));
    LogQuery.Builder builder = filters(query);
    Optional<String> eventType = query.one("event_type");
    Optional<LogLevel> level = level(query);
    builder.level(level.orElse(null));
    if (eventType.isPresent()) {
      builder.eventType(eventType.get().equals(ANY) ? null : eventType.get());
    } else if (form == Form.TEXT && level.isEmpty()) {
      // Nothing in a bare line tells it from a start or from what the agent says.
      builder.eventType(LogEntry.OUTPUT);
    }
    moment(query, "start").ifPresent(builder::startMicros);
    moment(query, "end").ifPresent(builder::endMicros);
    positive(query, "limit").ifPresent(builder::limit);
    builder.backward(
        choice(query, "direction", List.of("forward", "backward"))
            .filter("backward"::equals)
            .isPresent());
    String resumed = form == Form.EVENTS ? exchange.requestHeaders().get("last-event-id") : null;
    builder.cursor(cursor(resumed != null ? resumed : query.one("cursor").orElse(null)));
    OptionalLong tail = positive(query, "tail");
    if (resumed == null) { // else what comes next comes behind what was shown
      tail.ifPresent(builder::tail);
    }
    builder.follow(flag(query, "follow"));
    return new LogsParameters(builder.build(), form, flag(query, "timestamps"));
  }

  private static Form form(List<String> accept) {
    String best =
        Acceptable.best(
            accept,
            List.of(Form.TEXT.type, Form.NDJSON.type, "application/ndjson", Form.EVENTS.type));
    return best.equals(Form.EVENTS.type)
        ? Form.EVENTS
        : best.equals(Form.TEXT.type) ? Form.TEXT : Form.NDJSON;
  }

  /// What the other shapes of the log understand as well.
  static LogQuery.Builder filters(Query query) throws BadQueryException {
    LogQuery.Builder builder = LogQuery.ALL.with();
    builder.id(query.one("id").orElse(null)).tag(query.one("tag").orElse(null));
    OptionalLong pid = positive(query, "pid");
    if (pid.isPresent()) {
      if (pid.getAsLong() > Integer.MAX_VALUE) {
        throw bad("pid", "'" + pid.getAsLong() + "' is no pid");
      }
      builder.pid((int) pid.getAsLong());
    }
    Optional<String> stream = query.one("stream");
    if (stream.isPresent()) {
      builder.stream(stream(stream.get()));
    }
    return builder.search(query.one("search").orElse(null)).regex(query.one("regex").orElse(null));
  }

  private static StreamName stream(String text) throws BadQueryException {
    for (StreamName name : StreamName.values()) {
      if (name.text().equals(text)) {
        return name;
      }
    }
    throw bad("stream", "'" + text + "' is not stdout, stderr or pty");
  }

  static Optional<LogLevel> level(Query query) throws BadQueryException {
    Optional<String> text = query.one("level");
    if (text.isEmpty()) {
      return Optional.empty();
    }
    for (LogLevel level : LogLevel.values()) {
      if (level.name().equals(text.get().toUpperCase(Locale.ROOT))) {
        return Optional.of(level);
      }
    }
    throw bad("level", "'" + text.get() + "' is not debug, info, warn or error");
  }

  static @Nullable LogPosition cursor(@Nullable String token) throws BadQueryException {
    if (token == null) {
      return null;
    }
    try {
      return LogPosition.parse(token);
    } catch (LogFailure malformed) {
      throw new BadQueryException(malformed.text());
    }
  }

  /// RFC 3339, or milliseconds since 1970; as microseconds.
  private static OptionalLong moment(Query query, String name) throws BadQueryException {
    Optional<String> text = query.one(name);
    if (text.isEmpty()) {
      return OptionalLong.empty();
    }
    try {
      return OptionalLong.of(
          text.get().indexOf('T') > 0
              ? ChronoUnit.MICROS.between(Instant.EPOCH, Instant.parse(text.get()))
              : Math.multiplyExact(Long.parseLong(text.get()), 1000L));
    } catch (DateTimeParseException | ArithmeticException | NumberFormatException _) {
      throw bad(
          name, "'" + text.get() + "' is neither a time of RFC 3339 nor a number of milliseconds");
    }
  }

  private static OptionalLong positive(Query query, String name) throws BadQueryException {
    OptionalLong number = query.number(name);
    if (number.isPresent() && number.getAsLong() < 1) {
      throw bad(name, "'" + number.getAsLong() + "' is not at least 1");
    }
    return number;
  }

  static Optional<String> choice(Query query, String name, List<String> values)
      throws BadQueryException {
    Optional<String> text = query.one(name);
    if (text.isPresent() && !values.contains(text.get())) {
      throw bad(name, "'" + text.get() + "' is not " + String.join(" or ", values));
    }
    return text;
  }

  private static boolean flag(Query query, String name) throws BadQueryException {
    return choice(query, name, List.of("true", "false", "1", "0", ""))
        .filter(text -> !text.equals("false") && !text.equals("0"))
        .isPresent();
  }

  private static BadQueryException bad(String name, String reason) {
    return new BadQueryException("Invalid format for parameter " + name + ": " + reason);
  }
}
