package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.BadQueryException;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.Query;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.process.ManagedProcess;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.EnumSet;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What is asked of a process's lines.
///
/// @param tail at most so many of the last ones
/// @param stream null for all of them
/// @param follow whether what is still to come is wanted
/// @param strip whether lines come without their times
record LogsRequest(OptionalLong tail, @Nullable StreamName stream, boolean follow, boolean strip) {
  private static final String COMBINED = "combined";

  /// @throws Problem 400, naming the parameter
  static LogsRequest read(HttpExchange exchange) throws Problem {
    Query query = Query.parse(exchange.query());
    Optional<Boolean> strip = flag(query, "strip_timestamps");
    Optional<Boolean> sameStrip = flag(query, "stripTimestamps");
    if (strip.isPresent() && sameStrip.isPresent()) {
      throw Problem.badParameter("stripTimestamps", "strip_timestamps is given too");
    }
    return new LogsRequest(
        tail(query),
        stream(query),
        flag(query, "follow").orElse(false),
        strip.or(() -> sameStrip).orElse(false));
  }

  /// The streams of a process that this is about.
  Set<StreamName> streams(ManagedProcess process) {
    Set<StreamName> streams = EnumSet.noneOf(StreamName.class);
    streams.addAll(process.log().streams());
    if (stream != null) {
      streams.retainAll(Set.of(stream));
    }
    return streams;
  }

  /// How its lines look.
  LineFormat format(ManagedProcess process) {
    return new LineFormat(
        !strip, stream == null, ChronoUnit.MICROS.between(Instant.EPOCH, process.startedAt()));
  }

  private static OptionalLong tail(Query query) throws Problem {
    Optional<String> value = text(query, "tail");
    if (value.isEmpty()) {
      return OptionalLong.empty();
    }
    try {
      long lines = Long.parseLong(value.get());
      if (lines >= 0) {
        return OptionalLong.of(lines);
      }
    } catch (NumberFormatException _) {
      // The same answer.
    }
    throw Problem.badParameter("tail", "'" + value.get() + "' is not a number from 0 on");
  }

  private static @Nullable StreamName stream(Query query) throws Problem {
    String value = text(query, "stream").orElse(COMBINED);
    if (value.equals(COMBINED)) {
      return null;
    }
    for (StreamName stream : StreamName.values()) {
      if (stream.text().equals(value)) {
        return stream;
      }
    }
    throw Problem.badParameter(
        "stream", "'" + value + "' is none of stdout, stderr, pty and combined");
  }

  static Optional<Boolean> flag(Query query, String name) throws Problem {
    Optional<String> value = text(query, name);
    if (value.isEmpty()) {
      return Optional.empty();
    }
    return switch (value.get()) {
      case "true" -> Optional.of(true);
      case "false" -> Optional.of(false);
      default ->
          throw Problem.badParameter(name, "'" + value.get() + "' is neither true nor false");
    };
  }

  private static Optional<String> text(Query query, String name) throws Problem {
    try {
      return query.one(name);
    } catch (BadQueryException bad) {
      throw Problem.badParameter(name, bad.getMessage());
    }
  }
}
