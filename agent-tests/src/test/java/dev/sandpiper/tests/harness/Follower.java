package dev.sandpiper.tests.harness;

import com.google.protobuf.ByteString;
import dev.sandpiper.proto.process.ProcessEvent;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// A Start or Connect call and what it has brought so far.
///
/// Holds every call to the contract's order while it reads: `start` first and once, then data and keepalives, `end`
/// once, then nothing but the end of the call. A call may end with an error at any place, but not after `end`.
public final class Follower implements AutoCloseable {
  private final MessageStream<ProcessEvent> stream;
  private final Map<String, ByteString> output = new TreeMap<>();
  private Event.@Nullable Start start;
  private Event.@Nullable End end;
  private Event.@Nullable Over over;
  private int keepAlives;
  private boolean keepOutput = true;
  private long bytes;

  <R> Follower(MessageStream<R> messages, Function<R, ProcessEvent> event) {
    this.stream =
        new MessageStream<>() {
          @Override
          public @Nullable ProcessEvent next(Duration limit) throws TimeoutException {
            R message = messages.next(limit);
            return message == null ? null : event.apply(message);
          }

          @Override
          public void close() {
            messages.close();
          }
        };
  }

  /// Counts the output only, for more of it than memory should hold; each event is still handed out.
  public Follower withoutKeepingOutput() {
    keepOutput = false;
    return this;
  }

  /// The next event; fails when none comes in [Deadline#PATIENCE].
  public Event next() {
    try {
      return next(Deadline.PATIENCE);
    } catch (TimeoutException e) {
      throw new AssertionError("no event in " + Deadline.PATIENCE + "; so far: " + this, e);
    }
  }

  public Event next(Duration limit) throws TimeoutException {
    if (over != null) {
      throw new IllegalStateException("the call is over");
    }
    Event event;
    try {
      ProcessEvent message = stream.next(limit);
      event = message == null ? new Event.Over(null) : Event.of(message);
    } catch (RpcException e) {
      event = new Event.Over(e);
    }
    check(event);
    return event;
  }

  private void check(Event event) {
    boolean inOrder =
        switch (event) {
          case Event.Start _ -> start == null;
          case Event.Data _, Event.KeepAlive _, Event.End _ -> start != null && end == null;
          case Event.Over(RpcException error) -> error == null ? end != null : end == null;
        };
    if (!inOrder) {
      throw new AssertionError("out of order: " + event + " after " + this);
    }
    switch (event) {
      case Event.Start it -> start = it;
      case Event.Data(String name, ByteString data) -> {
        bytes += data.size();
        if (keepOutput) {
          output.merge(name, data, ByteString::concat);
        }
      }
      case Event.KeepAlive _ -> keepAlives++;
      case Event.End it -> end = it;
      case Event.Over it -> over = it;
    }
  }

  /// The process's pid; waits for `start`.
  public int pid() {
    while (start == null) {
      if (next() instanceof Event.Over(RpcException error)) {
        throw new AssertionError("ended before start", error);
      }
    }
    return start.pid();
  }

  /// Reads on until a stream's output so far contains the text.
  public Follower await(String name, String text) {
    while (!text(name).contains(text)) {
      if (next() instanceof Event.Over(RpcException error)) {
        throw new AssertionError("ended before '" + text + "' came: " + this, error);
      }
    }
    return this;
  }

  /// Reads on until this many bytes have come in all.
  public Follower awaitBytes(long count) {
    while (bytes < count) {
      if (next() instanceof Event.Over(RpcException error)) {
        throw new AssertionError("ended after " + bytes + " bytes", error);
      }
    }
    return this;
  }

  public Follower awaitKeepAlive() {
    int before = keepAlives;
    while (keepAlives == before) {
      if (next() instanceof Event.Over(RpcException error)) {
        throw new AssertionError("ended before a keepalive: " + this, error);
      }
    }
    return this;
  }

  /// Reads to the end of the call, which must be a good one, and gives the end event.
  public Event.End end() {
    if (over().error() != null) {
      throw new AssertionError("no end: " + this, over().error());
    }
    if (end == null) {
      throw new AssertionError("no end event: " + this);
    }
    return end;
  }

  /// Reads to the end of the call, which must be an error.
  public RpcException error() {
    RpcException error = over().error();
    if (error == null) {
      throw new AssertionError("ended well in place of an error: " + this);
    }
    return error;
  }

  /// Reads to the end of the call, whatever it is.
  public Event.Over over() {
    while (over == null) {
      next();
    }
    return over;
  }

  public boolean started() {
    return start != null;
  }

  public String stdout() {
    return text("stdout");
  }

  public String stderr() {
    return text("stderr");
  }

  public String pty() {
    return text("pty");
  }

  public ByteString raw(String name) {
    return output.getOrDefault(name, ByteString.EMPTY);
  }

  public long bytes() {
    return bytes;
  }

  public int keepAlives() {
    return keepAlives;
  }

  private String text(String name) {
    return raw(name).toStringUtf8();
  }

  /// Goes away, whether or not the call is over.
  @Override
  public void close() {
    stream.close();
  }

  @Override
  public String toString() {
    StringBuilder out = new StringBuilder();
    out.append(start).append(", ").append(bytes).append(" bytes");
    output.forEach((name, data) -> {
      String text = data.toStringUtf8();
      out.append(", ")
          .append(name)
          .append("=")
          .append(Json.quote(text.length() > 500 ? text.substring(0, 500) + "…" : text));
    });
    return out.append(", ")
        .append(keepAlives)
        .append(" keepalives, ")
        .append(end)
        .append(", ")
        .append(over)
        .toString();
  }
}
