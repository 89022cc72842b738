package dev.sandpiper.agent.cli;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Calls of an agent's services over Connect with the binary codec.
///
/// Every call throws `ApiException` for an answer that is an error, and `IOException` when there is no usable answer.
/// Unary calls share one connection and may come from any thread, one at a time; every stream has its own.
final class AgentClient implements Closeable {
  /// For a call that is answered when something has happened, which may be never.
  static final Duration FOR_EVER = Duration.ZERO;

  static final Duration UNARY_TIMEOUT = Duration.ofSeconds(60);
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(10);

  // Below the agent's idle timeout of 640 s and the shorter ones of proxies between: an idle
  // connection is not trusted.
  private static final long REUSE_NANOS = Duration.ofSeconds(20).toNanos();
  private static final int MAX_ENVELOPE_BYTES = 64 << 20;
  private static final int ENVELOPE_HEAD_BYTES = 5;
  private static final int END_STREAM = 2;
  private static final int OK = 200;
  private static final byte[] NOTHING = {};

  private static final String TOKEN_HEADER = "X-Access-Token";

  private final AgentUrl url;
  private final Optional<String> token;
  private @Nullable HttpConnection unary;
  private long unaryUsedNanos;

  /// `token` is shown by every call; absent where the agent asks for none.
  AgentClient(AgentUrl url, Optional<String> token) {
    this.url = url;
    this.token = token;
  }

  AgentUrl url() {
    return url;
  }

  /// The HTTP status of `GET /health`: 204 from an agent that serves. `IOException` when nobody answers in time.
  static int health(AgentUrl url, Duration timeout) throws IOException {
    try (var connection = HttpConnection.open(url, timeout)) {
      return connection.send("GET", "/health", Map.of(), NOTHING, timeout).status();
    }
  }

  /// One request, one answer.
  ///
  /// @param method `/package.Service/Method`
  /// @param silence how long nothing may come from the agent; zero for ever
  synchronized <T> T call(String method, MessageLite request, Parser<T> parser, Duration silence)
      throws IOException, ApiException {
    var headers = headers("application/proto");
    var connection = connection();
    try {
      var response = connection.send("POST", method, headers, request.toByteArray(), silence);
      var body = response.body().readNBytes(MAX_ENVELOPE_BYTES);
      if (response.status() != OK) {
        throw ApiException.ofBody(response.status(), new String(body, StandardCharsets.UTF_8));
      }
      return parser.parseFrom(body);
    } finally {
      unaryUsedNanos = System.nanoTime();
      if (!connection.reusable()) {
        connection.close();
        unary = null;
      }
    }
  }

  /// One request, any number of answers.
  ///
  /// @param more headers of this call beside the usual
  <T> Answers<T> stream(
      String method,
      MessageLite request,
      Parser<T> parser,
      Map<String, String> more,
      Duration silence)
      throws IOException {
    var headers = headers("application/connect+proto");
    headers.putAll(more);
    var message = request.toByteArray();
    var envelope = new byte[ENVELOPE_HEAD_BYTES + message.length];
    ByteBuffer.wrap(envelope).put((byte) 0).putInt(message.length).put(message);
    var connection = HttpConnection.open(url, CONNECT_TIMEOUT);
    try {
      return new Answers<>(
          connection, connection.send("POST", method, headers, envelope, silence), parser);
    } catch (IOException | RuntimeException e) {
      connection.close();
      throw e;
    }
  }

  private Map<String, String> headers(String contentType) {
    var headers = new LinkedHashMap<String, String>();
    headers.put("Content-Type", contentType);
    headers.put("Connect-Protocol-Version", "1");
    token.ifPresent(value -> headers.put(TOKEN_HEADER, value));
    return headers;
  }

  private HttpConnection connection() throws IOException {
    var open = unary;
    if (open != null && System.nanoTime() - unaryUsedNanos < REUSE_NANOS) {
      return open;
    }
    if (open != null) {
      open.close();
    }
    var fresh = HttpConnection.open(url, CONNECT_TIMEOUT);
    unary = fresh;
    return fresh;
  }

  @Override
  public synchronized void close() throws IOException {
    if (unary != null) {
      unary.close();
      unary = null;
    }
  }

  /// What one call answers, message by message. Not thread-safe.
  static final class Answers<T> implements Closeable {
    private final HttpConnection connection;
    private final HttpConnection.Response response;
    private final Parser<T> parser;
    private boolean ended;

    private Answers(HttpConnection connection, HttpConnection.Response response, Parser<T> parser) {
      this.connection = connection;
      this.response = response;
      this.parser = parser;
    }

    /// The next message, or empty when the agent ended the call without an error.
    Optional<T> next() throws IOException, ApiException {
      if (ended) {
        return Optional.empty();
      }
      var body = response.body();
      if (response.status() != OK) {
        throw ApiException.ofBody(
            response.status(),
            new String(body.readNBytes(MAX_ENVELOPE_BYTES), StandardCharsets.UTF_8));
      }
      var head = exactly(body, ENVELOPE_HEAD_BYTES);
      var flags = head[0];
      var length = ByteBuffer.wrap(head, 1, 4).getInt();
      if ((flags & ~END_STREAM) != 0 || length < 0 || length > MAX_ENVELOPE_BYTES) {
        throw new IOException("not an envelope: flags " + flags + ", length " + length);
      }
      var message = exactly(body, length);
      if (flags != END_STREAM) {
        return Optional.of(parser.parseFrom(message));
      }
      ended = true;
      checkEnd(new String(message, StandardCharsets.UTF_8));
      return Optional.empty();
    }

    private static void checkEnd(String json) throws IOException, ApiException {
      if (json.equals("{}")) {
        return;
      }
      try {
        var error = ApiException.parse(json).getFieldsMap().get("error");
        if (error != null) {
          throw ApiException.ofError(error.getStructValue());
        }
      } catch (InvalidProtocolBufferException e) {
        throw new IOException("not the end of a stream: " + json, e);
      }
    }

    private static byte[] exactly(InputStream body, int length) throws IOException {
      var bytes = body.readNBytes(length);
      if (bytes.length < length) {
        throw new EOFException("the answer ended without an end");
      }
      return bytes;
    }

    @Override
    public void close() throws IOException {
      connection.close();
    }
  }
}
