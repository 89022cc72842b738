package dev.sandpiper.tests.harness;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/// The Connect protocol over either version of HTTP, with either codec.
public final class ConnectClient implements RpcClient {
  /// Message encoding, named as content types do.
  public enum Codec {
    JSON("json"),
    BINARY("proto");

    final String suffix;

    Codec(String suffix) {
      this.suffix = suffix;
    }
  }

  private final Codec codec;
  private final Exchange.Transport transport;

  private ConnectClient(Codec codec, Exchange.Transport transport) {
    this.codec = codec;
    this.transport = transport;
  }

  /// Over HTTP/1.1, as E2B's SDKs speak it.
  public ConnectClient(int port, Codec codec) {
    this(codec, new Http1Transport(port, 0, null));
  }

  /// The same with a socket buffer that holds little, so that a client that stops reading is soon felt.
  public static ConnectClient withReceiveBuffer(int port, Codec codec, int bytes) {
    return new ConnectClient(codec, new Http1Transport(port, bytes, null));
  }

  /// The same over TLS.
  public static ConnectClient withTls(int port, Codec codec, SSLContext tls) {
    return new ConnectClient(codec, new Http1Transport(port, 0, tls));
  }

  /// All calls on one connection; the caller closes the client.
  public static ConnectClient http2(int port, Codec codec) {
    return new ConnectClient(codec, new Http2Connection(port));
  }

  @Override
  public <Q extends Message, R extends Message> R unary(
      MethodDescriptor<Q, R> method, Q request, Map<String, String> headers) {
    String type = "application/" + codec.suffix;
    try (Exchange exchange =
        transport.post(path(method), headers(type, headers), encode(request))) {
      HttpConnection.Reply reply = HttpConnection.Reply.of(exchange);
      if (reply.status() != 200) {
        throw error(reply);
      }
      requireType(reply.head(), type);
      return decode(method, reply.body());
    }
  }

  @Override
  public <Q extends Message, R extends Message> MessageStream<R> serverStream(
      MethodDescriptor<Q, R> method, Q request, Map<String, String> headers) {
    return new Stream<>(
        transport.post(
            path(method), headers(streamType(), headers), Envelopes.of(0, encode(request))),
        method);
  }

  @Override
  public <Q extends Message, R extends Message> RpcCall<Q, R> open(
      MethodDescriptor<Q, R> method, Map<String, String> headers) {
    return new Stream<>(transport.post(path(method), headers(streamType(), headers), null), method);
  }

  private static String path(MethodDescriptor<?, ?> method) {
    return "/" + method.getFullMethodName();
  }

  private String streamType() {
    return "application/connect+" + codec.suffix;
  }

  private static Map<String, String> headers(String type, Map<String, String> more) {
    Map<String, String> headers = new LinkedHashMap<>();
    headers.put("Content-Type", type);
    headers.put("Connect-Protocol-Version", "1");
    headers.putAll(more);
    return headers;
  }

  private byte[] encode(Message message) {
    if (codec == Codec.BINARY) {
      return message.toByteArray();
    }
    try {
      return JsonFormat.printer().print(message).getBytes(StandardCharsets.UTF_8);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalArgumentException(e);
    }
  }

  private <R extends Message> R decode(MethodDescriptor<?, R> method, ByteString bytes) {
    PrototypeMarshaller<R> marshaller = (PrototypeMarshaller<R>) method.getResponseMarshaller();
    R prototype = marshaller.getMessagePrototype();
    if (prototype == null) {
      throw new IllegalStateException("no prototype for " + method.getFullMethodName());
    }
    try {
      Message.Builder builder = prototype.newBuilderForType();
      if (codec == Codec.BINARY) {
        builder.mergeFrom(bytes);
      } else {
        JsonFormat.parser().merge(bytes.toStringUtf8(), builder);
      }
      @SuppressWarnings("unchecked") // a message's builder builds that message
      R message = (R) builder.build();
      return message;
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError("no " + codec.suffix + " message", e);
    }
  }

  private static void requireType(HttpConnection.Head head, String type) {
    if (!head.header("content-type").equals(type)) {
      throw new AssertionError("content type " + head + " in place of " + type);
    }
  }

  static RpcException error(HttpConnection.Reply reply) {
    if (!reply.header("content-type").startsWith("application/json")) {
      return new RpcException("(no code)", reply.text(), reply.status());
    }
    Json error = reply.json();
    return new RpcException(
        error.string("code"), error.has("message") ? error.string("message") : "", reply.status());
  }

  private final class Stream<Q extends Message, R extends Message> implements RpcCall<Q, R> {
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
      exchange.send(Envelopes.of(0, encode(request)));
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
        if (head.status() != 200) {
          throw new RpcException("(no code)", "stream refused: " + head, head.status());
        }
        requireType(head, streamType());
      }
      Envelopes.Envelope envelope = envelopes.next(deadline);
      if (envelope == null) {
        throw new HttpConnection.Cut("the body ended without an end-of-stream envelope");
      }
      return switch (envelope.flags()) {
        case 0 -> decode(method, envelope.payload());
        case 2 -> {
          if (envelopes.next(deadline) != null) {
            throw new AssertionError("an envelope after the end of the stream");
          }
          Json end = Json.parse(envelope.payload().toByteArray());
          if (end.has("error")) {
            Json error = end.get("error");
            throw new RpcException(
                error.string("code"), error.has("message") ? error.string("message") : "", 200);
          }
          yield null;
        }
        default -> throw new AssertionError("envelope with flags " + envelope.flags());
      };
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
