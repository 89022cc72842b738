package dev.sandpiper.tests.harness;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import io.grpc.MethodDescriptor;
import java.io.ByteArrayOutputStream;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// gRPC-Web over HTTP/1.1: gRPC's messages, with the trailers in a last envelope of the body (flag `0x80`).
public final class GrpcWebClient implements RpcClient {
  private static final String TYPE = "application/grpc-web+proto";

  private final int port;

  public GrpcWebClient(int port) {
    this.port = port;
  }

  @Override
  public <Q extends Message, R extends Message> R unary(
      MethodDescriptor<Q, R> method, Q request, Map<String, String> headers) {
    return clientStream(method, List.of(request), headers);
  }

  @Override
  public <Q extends Message, R extends Message> MessageStream<R> serverStream(
      MethodDescriptor<Q, R> method, Q request, Map<String, String> headers) {
    return call(method, List.of(request), headers);
  }

  @Override
  public <Q extends Message, R extends Message> R clientStream(
      MethodDescriptor<Q, R> method, List<Q> requests, Map<String, String> headers) {
    try (MessageStream<R> answer = call(method, requests, headers)) {
      R only = answer.next(Deadline.PATIENCE);
      if (only == null || answer.next(Deadline.PATIENCE) != null) {
        throw new AssertionError("exactly one message expected");
      }
      return only;
    } catch (TimeoutException e) {
      throw new AssertionError("no answer to " + method.getFullMethodName(), e);
    }
  }

  private <Q extends Message, R extends Message> MessageStream<R> call(
      MethodDescriptor<Q, R> method, List<Q> requests, Map<String, String> more) {
    Map<String, String> headers = new LinkedHashMap<>();
    headers.put("Content-Type", TYPE);
    headers.put("X-Grpc-Web", "1");
    headers.putAll(more);
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    requests.forEach(request -> body.writeBytes(Envelopes.of(0, request.toByteArray())));
    HttpConnection connection = HttpConnection.to(port);
    connection.send("POST", "/" + method.getFullMethodName(), headers, body.toByteArray());
    return new Stream<>(connection, method);
  }

  private static final class Stream<R> implements MessageStream<R> {
    private final HttpConnection connection;
    private final MethodDescriptor<?, R> method;
    private final Envelopes envelopes;
    private HttpConnection.@Nullable Head head;

    Stream(HttpConnection connection, MethodDescriptor<?, R> method) {
      this.connection = connection;
      this.method = method;
      this.envelopes = new Envelopes(connection);
    }

    @Override
    public @Nullable R next(Duration limit) throws TimeoutException {
      Deadline deadline = Deadline.in(limit);
      if (head == null) {
        head = connection.head(deadline);
        if (head.status() != 200 || !head.header("content-type").equals(TYPE)) {
          throw new RpcException("(no code)", "call refused: " + head, head.status());
        }
      }
      Envelopes.Envelope envelope = envelopes.next(deadline);
      if (envelope == null) {
        if (head.headers().containsKey("grpc-status")) {
          finish(head.headers());
          return null;
        }
        throw new HttpConnection.Cut("the body ended without trailers");
      }
      return switch (envelope.flags()) {
        case 0 -> method.parseResponse(envelope.payload().newInput());
        case 0x80 -> {
          if (envelopes.next(deadline) != null) {
            throw new AssertionError("an envelope after the trailers");
          }
          finish(trailers(envelope.payload()));
          yield null;
        }
        default -> throw new AssertionError("envelope with flags " + envelope.flags());
      };
    }

    private static Map<String, String> trailers(ByteString payload) {
      Map<String, String> trailers = new LinkedHashMap<>();
      for (String line : payload.toStringUtf8().split("\r\n", -1)) {
        int colon = line.indexOf(':');
        if (colon > 0) {
          trailers.put(
              line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).strip());
        }
      }
      return trailers;
    }

    private static void finish(Map<String, String> trailers) {
      String status = trailers.get("grpc-status");
      if (status == null) {
        throw new AssertionError("no grpc-status in " + trailers);
      }
      if (status.equals("0")) {
        return;
      }
      // Percent-encoded UTF-8, in which a plus is a plus.
      String message = trailers.getOrDefault("grpc-message", "").replace("+", "%2B");
      throw RpcException.ofGrpc(
          Integer.parseInt(status), URLDecoder.decode(message, StandardCharsets.UTF_8), 200);
    }

    @Override
    public void close() {
      connection.close();
    }
  }

  @Override
  public void close() {}
}
