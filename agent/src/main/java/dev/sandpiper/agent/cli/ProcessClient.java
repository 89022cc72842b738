package dev.sandpiper.agent.cli;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import dev.sandpiper.proto.process.CloseStdinRequest;
import dev.sandpiper.proto.process.PTY;
import dev.sandpiper.proto.process.ProcessEvent;
import dev.sandpiper.proto.process.ProcessInput;
import dev.sandpiper.proto.process.ProcessSelector;
import dev.sandpiper.proto.process.SendInputRequest;
import dev.sandpiper.proto.process.SendSignalRequest;
import dev.sandpiper.proto.process.StartRequest;
import dev.sandpiper.proto.process.StartResponse;
import dev.sandpiper.proto.process.UpdateRequest;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The calls of `process.Process` that the commands need, over Connect with the binary codec.
///
/// Every call throws `ApiException` for an answer that is an error, and `IOException` when there is no usable answer.
/// Unary calls share one connection and may come from any thread, one at a time; every stream has its own.
final class ProcessClient implements Closeable {
  private static final String SERVICE = "/process.Process/";
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(10);
  private static final Duration UNARY_TIMEOUT = Duration.ofSeconds(60);
  private static final Duration FOR_EVER = Duration.ZERO;

  // An event comes at least this often, else the agent or the way to it is gone.
  private static final int KEEPALIVE_SECONDS = 20;
  private static final Duration STREAM_SILENCE = Duration.ofSeconds(4 * KEEPALIVE_SECONDS);

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
  ProcessClient(AgentUrl url, Optional<String> token) {
    this.url = url;
    this.token = token;
  }

  /// The HTTP status of `GET /health`: 204 from an agent that serves. `IOException` when nobody answers in time.
  static int health(AgentUrl url, Duration timeout) throws IOException {
    try (var connection = HttpConnection.open(url, timeout)) {
      return connection.send("GET", "/health", Map.of(), NOTHING, timeout).status();
    }
  }

  /// Starts a process. `user` and `timeLimit` are the agent's defaults when absent.
  Events start(StartRequest request, Optional<String> user, Optional<Duration> timeLimit)
      throws IOException {
    var headers = new LinkedHashMap<String, String>();
    headers.put("Content-Type", "application/connect+proto");
    headers.put("Connect-Protocol-Version", "1");
    headers.put("Keepalive-Ping-Interval", Integer.toString(KEEPALIVE_SECONDS));
    token.ifPresent(value -> headers.put(TOKEN_HEADER, value));
    user.ifPresent(name -> headers.put("Authorization", "Basic " + base64(name + ":")));
    timeLimit.ifPresent(
        limit -> headers.put("Connect-Timeout-Ms", Long.toString(limit.toMillis())));
    var message = request.toByteArray();
    var envelope = new byte[ENVELOPE_HEAD_BYTES + message.length];
    java.nio.ByteBuffer.wrap(envelope).put((byte) 0).putInt(message.length).put(message);
    var connection = HttpConnection.open(url, CONNECT_TIMEOUT);
    try {
      return new Events(
          connection,
          connection.send("POST", SERVICE + "Start", headers, envelope, STREAM_SILENCE));
    } catch (IOException | RuntimeException e) {
      connection.close();
      throw e;
    }
  }

  /// Answered when the process has taken the input, which may be never.
  void sendInput(int pid, boolean terminal, byte[] bytes, int length)
      throws IOException, ApiException {
    var copy = ByteString.copyFrom(bytes, 0, length);
    var input = ProcessInput.newBuilder();
    call(
        "SendInput",
        FOR_EVER,
        SendInputRequest.newBuilder()
            .setProcess(selector(pid))
            .setInput(terminal ? input.setPty(copy) : input.setStdin(copy))
            .build());
  }

  void closeStdin(int pid) throws IOException, ApiException {
    call(
        "CloseStdin",
        UNARY_TIMEOUT,
        CloseStdinRequest.newBuilder().setProcess(selector(pid)).build());
  }

  void resize(int pid, Terminal.Size size) throws IOException, ApiException {
    call(
        "Update",
        UNARY_TIMEOUT,
        UpdateRequest.newBuilder()
            .setProcess(selector(pid))
            .setPty(PTY.newBuilder().setSize(size(size)))
            .build());
  }

  static PTY.Size size(Terminal.Size size) {
    return PTY.Size.newBuilder().setCols(size.columns()).setRows(size.rows()).build();
  }

  /// `signal` is the kernel's number; an agent may know SIGTERM and SIGKILL only (then: `unimplemented`).
  void sendSignal(int pid, int signal) throws IOException, ApiException {
    call(
        "SendSignal",
        UNARY_TIMEOUT,
        SendSignalRequest.newBuilder().setProcess(selector(pid)).setSignalValue(signal).build());
  }

  private static ProcessSelector selector(int pid) {
    return ProcessSelector.newBuilder().setPid(pid).build();
  }

  private synchronized void call(String method, Duration silence, MessageLite request)
      throws IOException, ApiException {
    var headers = new LinkedHashMap<String, String>();
    headers.put("Content-Type", "application/proto");
    headers.put("Connect-Protocol-Version", "1");
    token.ifPresent(value -> headers.put(TOKEN_HEADER, value));
    var connection = connection();
    try {
      var response =
          connection.send("POST", SERVICE + method, headers, request.toByteArray(), silence);
      var body = response.body().readNBytes(MAX_ENVELOPE_BYTES);
      if (response.status() != OK) {
        throw ApiException.ofBody(response.status(), new String(body, StandardCharsets.UTF_8));
      }
    } finally {
      unaryUsedNanos = System.nanoTime();
      if (!connection.reusable()) {
        connection.close();
        unary = null;
      }
    }
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

  private static String base64(String text) {
    return java.util.Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
  }

  @Override
  public synchronized void close() throws IOException {
    if (unary != null) {
      unary.close();
      unary = null;
    }
  }

  /// What one call of Start answers, event by event. Not thread-safe.
  static final class Events implements Closeable {
    private final HttpConnection connection;
    private final HttpConnection.Response response;
    private boolean ended;

    private Events(HttpConnection connection, HttpConnection.Response response) {
      this.connection = connection;
      this.response = response;
    }

    /// The next event, or empty when the agent ended the call without an error.
    Optional<ProcessEvent> next() throws IOException, ApiException {
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
      var length = java.nio.ByteBuffer.wrap(head, 1, 4).getInt();
      if ((flags & ~END_STREAM) != 0 || length < 0 || length > MAX_ENVELOPE_BYTES) {
        throw new IOException("not an envelope: flags " + flags + ", length " + length);
      }
      var message = exactly(body, length);
      if (flags != END_STREAM) {
        return Optional.of(StartResponse.parseFrom(message).getEvent());
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
