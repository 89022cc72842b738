package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// A response of server-sent events (`text/event-stream`, as the HTML standard defines it).
///
/// A [Source] is asked for events while the client takes them, so nothing waits here for a slow one, and a source that
/// has nothing waits for [#wake]. While nothing is sent, a comment shows that the stream lives. When the client leaves or
/// the source is at its end, the source is closed, once, and the heartbeat stops.
///
///     EventStream events = new EventStream(exchange, heartbeat, source);
///     cursor.onWake(events::wake);
///     events.start();
///
/// Everything but [#wake] belongs to the exchange's event loop.
public final class EventStream {
  /// How long a stream is silent before a comment is sent, where the request does not say: half of the shortest time for
  /// which proxies are known to keep a silent connection.
  private static final Duration HEARTBEAT = Duration.ofSeconds(15);

  private static final long MAX_HEARTBEAT_SECONDS = Duration.ofDays(1).toSeconds();
  private static final String COMMENT = ": \n\n";

  /// How it goes on after some events.
  public enum Next {
    /// There is more, at once when the client takes it.
    MORE,
    /// There is nothing more until [EventStream#wake].
    WAIT,
    /// That was the last event.
    END
  }

  /// Makes the events.
  public interface Source {
    /// Adds events until it has no more or [EventStream#isFull] says so. What it throws breaks the stream off.
    Next next(EventStream events);

    /// Nothing more is wanted. Once; also when the client had gone before the first event.
    void close();
  }

  private final HttpExchange exchange;
  private final Source source;
  private final PulledBody body;
  private final long heartbeatNanos;
  private ByteBuf out = Unpooled.EMPTY_BUFFER;
  private @Nullable Future<?> heartbeat;
  private long lastSentNanos;
  private boolean inEvent;
  private boolean afterReturn; // the last text ended with a carriage return

  /// A stream that is not started.
  ///
  /// @param heartbeat the longest silence
  public EventStream(HttpExchange exchange, Duration heartbeat, Source source) {
    this.exchange = exchange;
    this.source = source;
    this.heartbeatNanos = heartbeat.toNanos();
    this.body = new PulledBody(exchange, new Pieces());
  }

  /// The interval of heartbeats that a request asks for with `Keepalive-Ping-Interval` (seconds, up to a day); 15 s where
  /// it says nothing or nothing that can be meant.
  public static Duration heartbeat(HttpExchange exchange) {
    String asked = exchange.requestHeaders().get("keepalive-ping-interval");
    if (asked == null) {
      return HEARTBEAT;
    }
    try {
      long seconds = Long.parseLong(asked.strip());
      return seconds >= 1 && seconds <= MAX_HEARTBEAT_SECONDS
          ? Duration.ofSeconds(seconds)
          : HEARTBEAT;
    } catch (NumberFormatException _) {
      return HEARTBEAT;
    }
  }

  /// Sends the head and asks the source for the first events.
  public void start() {
    lastSentNanos = System.nanoTime();
    heartbeat = exchange.eventLoop().schedule(this::beat, heartbeatNanos, TimeUnit.NANOSECONDS);
    body.start(
        200,
        Headers.of(
            "content-type", "text/event-stream",
            "cache-control", "no-store",
            "x-accel-buffering", "no", // nginx would keep events back
            "x-content-type-options", "nosniff"));
  }

  /// The source has more, or is to look again. Any thread, any number of times.
  public void wake() {
    body.wake();
  }

  /// Whether the source has added enough for this time.
  public boolean isFull() {
    return out.readableBytes() >= PulledBody.PIECE_BYTES;
  }

  /// Adds a whole event.
  ///
  /// @param name its type; null for the one that browsers call `message`
  /// @param id from where a client that comes back goes on (`Last-Event-ID`); null leaves the one before in force
  /// @param data of one line or several; a carriage return is a line end too
  public void event(@Nullable String name, @Nullable String id, CharSequence data) {
    begin(name);
    data(data);
    end(id);
  }

  /// Begins an event whose data come in pieces, if need be over several turns: [#data] any number of times, then [#end].
  public void begin(@Nullable String name) {
    if (inEvent) {
      throw new IllegalStateException("the event before has not ended");
    }
    inEvent = true;
    afterReturn = false;
    if (name != null) {
      ascii("event: ");
      ByteBufUtil.writeUtf8(out, name);
      ascii("\n");
    }
    ascii("data: ");
  }

  /// Adds to the data of the event that has begun.
  public void data(CharSequence text) {
    int from = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '\n' && afterReturn) {
        from = i + 1; // the second half of a line end
      } else if (c == '\n' || c == '\r') {
        ByteBufUtil.writeUtf8(out, text, from, i);
        ascii("\ndata: ");
        from = i + 1;
      }
      afterReturn = c == '\r';
    }
    ByteBufUtil.writeUtf8(out, text, from, text.length());
  }

  /// Ends the event that has begun.
  ///
  /// @param id as in [#event]
  public void end(@Nullable String id) {
    inEvent = false;
    if (id != null) {
      ascii("\nid: ");
      ByteBufUtil.writeUtf8(out, id);
    }
    ascii("\n\n");
  }

  private void ascii(String text) {
    ByteBufUtil.writeAscii(out, text);
  }

  private void beat() {
    if (body.isClosed()) {
      return;
    }
    long due = lastSentNanos + heartbeatNanos - System.nanoTime();
    if (due <= 0) {
      // What waits for a client that does not read says that the stream lives.
      if (exchange.isWritable() && !inEvent) {
        ByteBuf comment = exchange.newBuffer(COMMENT.length());
        ByteBufUtil.writeAscii(comment, COMMENT);
        exchange.write(comment);
        lastSentNanos = System.nanoTime();
      }
      due = heartbeatNanos;
    }
    heartbeat = exchange.eventLoop().schedule(this::beat, due, TimeUnit.NANOSECONDS);
  }

  private final class Pieces implements PulledBody.Source {
    @Override
    public PulledBody.Next next(ByteBuf piece) {
      out = piece;
      try {
        return switch (source.next(EventStream.this)) {
          case MORE -> PulledBody.Next.MORE;
          case WAIT -> PulledBody.Next.WAIT;
          case END -> PulledBody.Next.END;
        };
      } finally {
        if (piece.isReadable()) {
          lastSentNanos = System.nanoTime();
        }
        out = Unpooled.EMPTY_BUFFER;
      }
    }

    @Override
    public void close() {
      Future<?> beats = heartbeat;
      if (beats != null) {
        beats.cancel(false);
      }
      source.close();
    }
  }
}
