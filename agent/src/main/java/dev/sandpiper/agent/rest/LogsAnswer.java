package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.logs.LogFailure;
import dev.sandpiper.agent.logs.LogGap;
import dev.sandpiper.agent.logs.LogItem;
import dev.sandpiper.agent.logs.LogReading;
import dev.sandpiper.agent.rest.LogsParameters.Form;
import io.netty.buffer.ByteBuf;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Sends the entries of one reading in one of three forms, as the client takes them.
///
/// | Form | an entry | nothing for a while | the end |
/// |---|---|---|---|
/// | plain text | a line | nothing: there is no line that means nothing | the end of the body |
/// | NDJSON | an object | an object of the event type `heartbeat`, with the cursor | one of the event type `end` |
/// | events | an event `log` (or `gap`), its id the cursor | a comment | an event `end` |
///
/// What cannot be read on breaks the body off, so that it does not look whole, after an object or event `error`.
final class LogsAnswer {
  private final HttpExchange exchange;
  private final LogsParameters asked;
  private final LogFeed feed;
  private Runnable wake = () -> {};
  private boolean begun;

  LogsAnswer(HttpExchange exchange, LogsParameters asked, LogReading reading) {
    this.exchange = exchange;
    this.asked = asked;
    this.feed = new LogFeed(reading, () -> exchange.execute(this::news));
  }

  /// On the event loop.
  void start() {
    if (asked.query().follow()) {
      begin();
    } else {
      feed.ask(); // its first answer may still be a refusal
    }
  }

  private void news() {
    if (begun) {
      wake.run();
    } else {
      begin();
    }
  }

  private void begin() {
    LogFailure failure = feed.failure();
    begun = true;
    if (failure != null) {
      feed.close();
      LogsRoutes.refuse(exchange, failure);
      return;
    }
    if (asked.form() == Form.EVENTS) {
      EventStream events = new EventStream(exchange, EventStream.heartbeat(exchange), new Events());
      wake = events::wake;
      events.start();
    } else {
      Lines lines = new Lines();
      PulledBody body = new PulledBody(exchange, lines);
      wake = body::wake;
      body.start(
          200,
          Headers.of(
              "content-type", asked.form().type() + "; charset=utf-8",
              "cache-control", "no-store",
              "x-accel-buffering", "no",
              "x-content-type-options", "nosniff"));
      lines.beatEvery(EventStream.heartbeat(exchange), body);
    }
  }

  private String error(LogFailure failure) {
    StringBuilder json = new StringBuilder(128);
    json.append("{\"event_type\":\"error\"");
    LogText.member(json, "message", failure.text());
    return json.append('}').toString();
  }

  private String end(LogReading.End end) {
    StringBuilder json = new StringBuilder(128);
    json.append("{\"event_type\":\"end\",\"more\":").append(end.more());
    end.position().ifPresent(position -> LogText.member(json, "cursor", position.token()));
    return json.append('}').toString();
  }

  /// Plain text and NDJSON.
  private final class Lines implements PulledBody.Source {
    private @Nullable Future<?> heartbeat;
    private long lastSentNanos = System.nanoTime();

    @Override
    public PulledBody.Next next(ByteBuf out) {
      while (out.readableBytes() < PulledBody.PIECE_BYTES) {
        LogItem item = feed.poll();
        if (item == null) {
          break;
        }
        line(
            out,
            asked.form() == Form.TEXT
                ? LogText.line(item, asked.timestamps())
                : LogText.json(item));
      }
      LogReading.End end = feed.end();
      LogFailure failure = feed.failure();
      if (asked.form() == Form.NDJSON) {
        if (end != null) {
          line(out, LogsAnswer.this.end(end));
        } else if (failure != null) {
          line(out, error(failure));
        }
      }
      if (out.isReadable()) {
        lastSentNanos = System.nanoTime();
      }
      if (end != null) {
        return PulledBody.Next.END;
      }
      if (failure != null) {
        return PulledBody.Next.BREAK;
      }
      return out.readableBytes() < PulledBody.PIECE_BYTES
          ? PulledBody.Next.WAIT
          : PulledBody.Next.MORE;
    }

    private void line(ByteBuf out, String text) {
      LogText.write(out, text);
      out.writeByte('\n');
    }

    void beatEvery(Duration interval, PulledBody body) {
      if (asked.form() == Form.NDJSON && !body.isClosed()) {
        beatIn(interval.toNanos(), interval.toNanos(), body);
      }
    }

    private void beatIn(long nanos, long intervalNanos, PulledBody body) {
      heartbeat =
          exchange
              .eventLoop()
              .schedule(() -> beat(intervalNanos, body), nanos, TimeUnit.NANOSECONDS);
    }

    private void beat(long intervalNanos, PulledBody body) {
      if (body.isClosed()) {
        return;
      }
      long due = lastSentNanos + intervalNanos - System.nanoTime();
      if (due <= 0) {
        if (exchange.isWritable()) {
          Optional<String> text = feed.reading().position().map(LogText::heartbeat);
          ByteBuf out = exchange.newBuffer(256);
          line(out, text.orElse("{\"event_type\":\"heartbeat\"}"));
          exchange.write(out);
          lastSentNanos = System.nanoTime();
        }
        due = intervalNanos;
      }
      beatIn(due, intervalNanos, body);
    }

    @Override
    public void close() {
      Future<?> beats = heartbeat;
      if (beats != null) {
        beats.cancel(false);
      }
      feed.close();
    }
  }

  private final class Events implements EventStream.Source {
    @Override
    public EventStream.Next next(EventStream events) {
      while (!events.isFull()) {
        LogItem item = feed.poll();
        if (item == null) {
          break;
        }
        String name = item instanceof LogGap ? LogText.GAP : "log";
        events.event(name, item.position().token(), LogText.json(item));
      }
      LogReading.End end = feed.end();
      if (end != null) {
        events.event("end", null, LogsAnswer.this.end(end));
        return EventStream.Next.END;
      }
      LogFailure failure = feed.failure();
      if (failure != null) {
        // A client would come back at once and find the same; it is told why, and the stream ends.
        events.event("error", null, error(failure));
        return EventStream.Next.END;
      }
      return events.isFull() ? EventStream.Next.MORE : EventStream.Next.WAIT;
    }

    @Override
    public void close() {
      feed.close();
    }
  }
}
