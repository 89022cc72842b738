package dev.sandpiper.tests.harness;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import io.grpc.MethodDescriptor;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// gRPC-Web over either version of HTTP: gRPC's messages, with the trailers in a last envelope of the body (flag `0x80`).
public final class GrpcWebClient implements RpcClient {
  private static final String TYPE = "application/grpc-web+proto";

  private final Exchange.Transport transport;

  private GrpcWebClient(Exchange.Transport transport) {
    this.transport = transport;
  }

  /// Over HTTP/1.1.
  public GrpcWebClient(int port) {
    this(new Http1Transport(port, 0, null));
  }

  /// All calls on one connection; the caller closes the client.
  public static GrpcWebClient http2(int port) {
    return new GrpcWebClient(new Http2Connection(port));
  }

  @Override
  public <Q extends Message, R extends Message> R unary(
      MethodDescriptor<Q, R> method, Q request, Map<String, String> headers) {
    try (RpcCall<Q, R> call = call(method, headers, Envelopes.of(0, request.toByteArray()))) {
      return call.only();
    } catch (TimeoutException e) {
      throw new AssertionError("no answer to " + method.getFullMethodName(), e);
    }
  }

  @Override
  public <Q extends Message, R extends Message> MessageStream<R> serverStream(
      MethodDescriptor<Q, R> method, Q request, Map<String, String> headers) {
    return call(method, headers, Envelopes.of(0, request.toByteArray()));
  }

  @Override
  public <Q extends Message, R extends Message> RpcCall<Q, R> open(
      MethodDescriptor<Q, R> method, Map<String, String> headers) {
    return call(method, headers, null);
  }

  private <Q extends Message, R extends Message> RpcCall<Q, R> call(
      MethodDescriptor<Q, R> method, Map<String, String> more, byte @Nullable [] whole) {
    Map<String, String> headers = new LinkedHashMap<>();
    headers.put("Content-Type", TYPE);
    headers.put("X-Grpc-Web", "1");
    headers.putAll(more);
    return new Stream<>(transport.post("/" + method.getFullMethodName(), headers, whole), method);
  }

  private static final class Stream<Q extends Message, R extends Message> implements RpcCall<Q, R> {
    private final Exchange exchange;
    private final MethodDescriptor<Q, R> method;
    private final Envelopes envelopes;
    private HttpConnection.@Nullable Head head;

    Stream(Exchange exchange, MethodDescriptor<Q, R> method) {
      this.exchange = exchange;
      this.method = method;
      this.envelopes = new Envelopes(exchange);
    }

    @Override
    public void send(Q request) {
      exchange.send(Envelopes.of(0, request.toByteArray()));
    }

    @Override
    public void halfClose() {
      exchange.halfClose();
    }

    @Override
    public @Nullable R next(Duration limit) throws TimeoutException {
      Deadline deadline = Deadline.in(limit);
      if (head == null) {
        head = exchange.head(deadline);
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
      exchange.close();
    }
  }

  @Override
  public void close() {
    transport.close();
  }
}
