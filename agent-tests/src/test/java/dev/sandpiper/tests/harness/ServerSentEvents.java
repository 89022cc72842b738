package dev.sandpiper.tests.harness;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// A client of server-sent events, read as the HTML standard says.
public final class ServerSentEvents implements AutoCloseable {
  /// One event. `id` is the last one that was sent, as a browser would remember it.
  public record Sent(String event, String data, String id) {}

  private final HttpConnection connection;
  private final HttpConnection.Head head;
  private final byte[] buffer = new byte[16 * 1024];
  private int from;
  private int to;
  private String id = "";
  private int comments;

  private ServerSentEvents(HttpConnection connection, HttpConnection.Head head) {
    this.connection = connection;
    this.head = head;
  }

  /// Opens a stream. Whatever the answer is, its head is there.
  public static ServerSentEvents get(HttpConnection connection, String path) {
    return get(connection, path, Map.of());
  }

  public static ServerSentEvents get(
      HttpConnection connection, String path, Map<String, String> headers) {
    Map<String, String> all = new LinkedHashMap<>(headers);
    all.put("Accept", "text/event-stream");
    connection.send("GET", path, all);
    try {
      return new ServerSentEvents(connection, connection.head(Deadline.in(Deadline.PATIENCE)));
    } catch (TimeoutException e) {
      throw new AssertionError("no head in " + Deadline.PATIENCE, e);
    }
  }

  public HttpConnection.Head head() {
    return head;
  }

  /// The next event; null at the end of the stream.
  public @Nullable Sent next() {
    String event = "message";
    List<String> data = new ArrayList<>();
    while (true) {
      String line = line();
      if (line == null) {
        return null;
      }
      if (line.isEmpty()) {
        if (!data.isEmpty()) {
          return new Sent(event, String.join("\n", data), id);
        }
        continue;
      }
      int colon = line.indexOf(':');
      String field = colon < 0 ? line : line.substring(0, colon);
      String value = colon < 0 ? "" : line.substring(colon + 1);
      value = value.startsWith(" ") ? value.substring(1) : value;
      switch (field) {
        case "" -> comments++;
        case "event" -> event = value;
        case "data" -> data.add(value);
        case "id" -> id = value;
        default -> throw new AssertionError("no field of an event: " + line);
      }
    }
  }

  /// The next event, which must come.
  public Sent event() {
    Sent sent = next();
    if (sent == null) {
      throw new AssertionError("the stream has ended");
    }
    return sent;
  }

  /// All events up to the end of the stream.
  public List<Sent> rest() {
    List<Sent> all = new ArrayList<>();
    for (Sent sent = next(); sent != null; sent = next()) {
      all.add(sent);
    }
    return all;
  }

  /// Comments that have come.
  public int comments() {
    return comments;
  }

  private @Nullable String line() {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    while (true) {
      for (int i = from; i < to; i++) {
        if (buffer[i] == '\n') {
          line.write(buffer, from, i - from);
          from = i + 1;
          return line.toString(StandardCharsets.UTF_8);
        }
      }
      line.write(buffer, from, to - from);
      from = 0;
      try {
        to = connection.body(buffer, 0, buffer.length, Deadline.in(Deadline.PATIENCE));
      } catch (TimeoutException e) {
        throw new AssertionError("no event in " + Deadline.PATIENCE, e);
      }
      if (to < 0) {
        to = 0;
        if (line.size() > 0) {
          throw new AssertionError("the stream ended inside a line: " + line);
        }
        return null;
      }
    }
  }

  @Override
  public void close() {
    connection.close();
  }
}
