package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.BadQueryException;
import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.Query;
import dev.sandpiper.agent.logs.LogEntry;
import dev.sandpiper.agent.logs.LogFailure;
import dev.sandpiper.agent.logs.LogGap;
import dev.sandpiper.agent.logs.LogItem;
import dev.sandpiper.agent.logs.LogQueries;
import dev.sandpiper.agent.logs.LogQuery;
import dev.sandpiper.agent.logs.LogReading;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.Consumer;

/// The log in the shapes of E2B's API: one JSON document a request.
///
/// Its clients ask for the next page by the millisecond behind the last entry, so entries of one millisecond must not be
/// divided between two answers: a page ends with a whole millisecond, also beyond its limit, and the last [#SETTLING_MILLIS]
/// before now are left to the next one.
final class EntryPages {
  private static final int UNPROCESSABLE = 422;

  /// E2B's own pages have 1,000 entries, and its command line shows only the first one.
  private static final int FIRST_LIMIT = 10_000;

  private static final int SECOND_LIMIT = 1000;

  /// What a page may take, whatever its limit; a few milliseconds' worth more where one ends.
  private static final long MOST_CHARACTERS = 8L << 20;

  /// Entries come late by what a thread waits for a processor.
  private static final long SETTLING_MILLIS = 50;

  private static final int MOST_SEARCH = 256;

  private final LogQueries logs;
  private final InstantSource clock = InstantSource.system();

  EntryPages(LogQueries logs) {
    this.logs = logs;
  }

  static Headers head() {
    return Headers.of("content-type", "application/json", "cache-control", "no-store");
  }

  /// `start` (milliseconds) and `limit`: oldest first (contract of the process APIs, section 5.2, v1).
  void first(HttpExchange exchange) {
    answer(
        exchange,
        query -> {
          long start = notNegative(query, "start").orElse(0);
          long limit = notNegative(query, "limit").orElse(FIRST_LIMIT);
          LogQuery.Builder asked =
              LogsParameters.filters(query)
                  .startMicros(start * 1000L)
                  .endMicros(settledMillis(start) * 1000L);
          return new Page(asked, Math.min(limit, FIRST_LIMIT), items -> firstJson(items));
        });
  }

  /// Up to where a page goes. A client that asks from a time to come, by a clock of its own, gets an empty one.
  private long settledMillis(long startMillis) {
    return Math.max(startMillis, clock.millis() - SETTLING_MILLIS);
  }

  private static String firstJson(List<LogItem> items) {
    StringBuilder json = new StringBuilder(items.size() * 256 + 64).append("{\"logs\":[");
    String separator = "";
    for (LogItem item : items) {
      json.append(separator).append("{\"timestamp\":\"").append(LogText.time(item.timeMicros()));
      json.append('"');
      LogText.member(json, "line", LogText.record(item));
      json.append('}');
      separator = ",";
    }
    json.append("],\"logEntries\":[");
    entries(json, items);
    return json.append("]}\n").toString();
  }

  /// `cursor` (milliseconds, or one of ours), `limit`, `direction`, `level`, `search` (section 5.2, v2), and our filters.
  void second(HttpExchange exchange) {
    answer(
        exchange,
        query -> {
          LogQuery.Builder asked = LogsParameters.filters(query);
          asked.level(LogsParameters.level(query).orElse(null));
          if (query.one("search").filter(text -> text.length() > MOST_SEARCH).isPresent()) {
            throw new BadQueryException(
                "Invalid format for parameter search: longer than " + MOST_SEARCH + " characters");
          }
          long limit = notNegative(query, "limit").orElse(SECOND_LIMIT);
          if (limit > SECOND_LIMIT) {
            throw new BadQueryException(
                "Invalid format for parameter limit: '" + limit + "' is above " + SECOND_LIMIT);
          }
          boolean forward =
              LogsParameters.choice(query, "direction", List.of("forward", "backward"))
                  .filter("forward"::equals)
                  .isPresent();
          asked.backward(!forward);
          var cursor = query.one("cursor");
          if (cursor.isPresent()) {
            if (cursor.get().matches("[0-9]{1,15}")) {
              long micros = Long.parseLong(cursor.get()) * 1000L;
              if (forward) {
                asked.startMicros(micros);
                asked.endMicros(settledMillis(micros / 1000L) * 1000L);
              } else {
                asked.endMicros(micros + 1000L); // the millisecond itself is in
              }
            } else {
              asked.cursor(LogsParameters.cursor(cursor.get()));
            }
          }
          return new Page(asked, limit, EntryPages::secondJson);
        });
  }

  private static String secondJson(List<LogItem> items) {
    StringBuilder json = new StringBuilder(items.size() * 192 + 64).append("{\"logs\":[");
    entries(json, items);
    json.append(']');
    if (!items.isEmpty()) {
      LogText.member(json, "nextCursor", items.getLast().position().token());
    }
    return json.append("}\n").toString();
  }

  private static void entries(StringBuilder json, List<LogItem> items) {
    String separator = "";
    for (LogItem item : items) {
      json.append(separator).append("{\"timestamp\":\"").append(LogText.time(item.timeMicros()));
      json.append('"');
      switch (item) {
        case LogEntry entry -> {
          LogText.member(json, "level", entry.level().name().toLowerCase(Locale.ROOT));
          LogText.member(json, "message", entry.message());
          json.append(",\"fields\":{");
          fields(json, entry);
        }
        case LogGap gap -> {
          LogText.member(json, "level", "warn");
          LogText.member(json, "message", gap.message());
          json.append(",\"fields\":{\"event_type\":\"").append(LogText.GAP).append('"');
        }
      }
      json.append("}}");
      separator = ",";
    }
  }

  /// Values are strings here, whatever they are.
  private static void fields(StringBuilder json, LogEntry entry) {
    json.append("\"event_type\":\"").append(entry.eventType()).append('"');
    LogText.member(json, "logger", entry.logger());
    if (entry.processId() != null) {
      LogText.member(json, "process_id", entry.processId());
      LogText.member(json, "pid", Integer.toUnsignedString(entry.pid()));
    }
    if (entry.tag() != null) {
      LogText.member(json, "tag", entry.tag());
    }
    if (entry.stream() != null) {
      LogText.member(json, "stream", entry.stream().text());
    }
    for (Map.Entry<String, String> field : entry.fields().entrySet()) {
      LogText.member(json, field.getKey(), field.getValue());
    }
  }

  private static OptionalLong notNegative(Query query, String name) throws BadQueryException {
    OptionalLong number = query.number(name);
    if (number.isPresent() && (number.getAsLong() < 0 || number.getAsLong() > 1L << 43)) {
      throw new BadQueryException(
          "Invalid format for parameter "
              + name
              + ": '"
              + number.getAsLong()
              + "' is out of range");
    }
    return number;
  }

  /// What a request asks for.
  private interface Ask {
    Page of(Query query) throws BadQueryException, LogFailure;
  }

  private record Page(LogQuery.Builder query, long limit, Render render) {
    private interface Render {
      String json(List<LogItem> items);
    }
  }

  private void answer(HttpExchange exchange, Ask ask) {
    try {
      Page page = ask.of(Query.parse(exchange.query()));
      if (page.limit == 0) {
        respond(exchange, page.render.json(List.of()));
        return;
      }
      new Collector(
              logs.open(page.query.build()),
              page.limit,
              items -> {
                String json = page.render.json(items);
                exchange.execute(() -> respond(exchange, json));
              },
              failure -> exchange.execute(() -> LogsRoutes.refuse(exchange, failure)))
          .more();
    } catch (BadQueryException bad) {
      Errors.json(exchange, UNPROCESSABLE, bad.getMessage());
    } catch (LogFailure failure) {
      LogsRoutes.refuse(exchange, failure);
    }
  }

  private static void respond(HttpExchange exchange, String json) {
    if (!exchange.isFinished()) {
      exchange.respond(200, head(), json.getBytes(StandardCharsets.UTF_8));
    }
  }

  /// Gathers a page on the engine's threads.
  private static final class Collector implements LogReading.Receiver {
    private final LogReading reading;
    private final long limit;
    private final Consumer<List<LogItem>> done;
    private final Consumer<LogFailure> failed;
    private final List<LogItem> items = new ArrayList<>();
    private long entries;
    private long characters;
    private long lastMillis;
    private boolean full;

    Collector(
        LogReading reading, long limit, Consumer<List<LogItem>> done, Consumer<LogFailure> failed) {
      this.reading = reading;
      this.limit = limit;
      this.done = done;
      this.failed = failed;
    }

    void more() {
      reading.next(this);
    }

    @Override
    public void batch(List<LogItem> batch) {
      for (LogItem item : batch) {
        long millis = Math.floorDiv(item.timeMicros(), 1000L);
        if (full && millis != lastMillis) {
          finish();
          return;
        }
        items.add(item);
        lastMillis = millis;
        if (item instanceof LogEntry entry) {
          entries++;
          characters += entry.message().length();
        }
        full = entries >= limit || characters >= MOST_CHARACTERS;
        if (characters >= 2 * MOST_CHARACTERS) {
          finish(); // a millisecond that no answer can hold
          return;
        }
      }
      more();
    }

    @Override
    public void end(LogReading.End end) {
      finish();
    }

    @Override
    public void failed(LogFailure failure) {
      reading.close();
      failed.accept(failure);
    }

    private void finish() {
      reading.close();
      done.accept(items);
    }
  }
}
