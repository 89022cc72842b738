package dev.sandpiper.tests.harness;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// The Connect protocol over HTTP/1.1, as E2B's SDKs speak it, with either codec.
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

  private final int port;
  private final Codec codec;
  private final int receiveBytes;

  public ConnectClient(int port, Codec codec) {
    this(port, codec, 0);
  }

  private ConnectClient(int port, Codec codec, int receiveBytes) {
    this.port = port;
    this.codec = codec;
    this.receiveBytes = receiveBytes;
  }

  /// The same with a socket buffer that holds little, so that a client that stops reading is soon felt.
  public ConnectClient withReceiveBuffer(int bytes) {
    return new ConnectClient(port, codec, bytes);
  }

  @Override
  public <Q extends Message, R extends Message> R unary(
      MethodDescriptor<Q, R> method, Q request, Map<String, String> headers) {
    try (HttpConnection connection = HttpConnection.to(port)) {
      String type = "application/" + codec.suffix;
      HttpConnection.Reply reply =
          connection.send("POST", path(method), headers(type, headers), encode(request)).reply();
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
    HttpConnection connection = HttpConnection.to(port, receiveBytes);
    connection.send(
        "POST", path(method), headers(streamType(), headers), Envelopes.of(0, encode(request)));
    return new Stream<>(connection, method);
  }

  @Override
  public <Q extends Message, R extends Message> R clientStream(
      MethodDescriptor<Q, R> method, List<Q> requests, Map<String, String> headers) {
    HttpConnection connection = HttpConnection.to(port);
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    requests.forEach(request -> body.writeBytes(Envelopes.of(0, encode(request))));
    connection.send("POST", path(method), headers(streamType(), headers), body.toByteArray());
    try (MessageStream<R> answer = new Stream<>(connection, method)) {
      R only = answer.next(Deadline.PATIENCE);
      if (only == null || answer.next(Deadline.PATIENCE) != null) {
        throw new AssertionError("a client stream is answered with exactly one message");
      }
      return only;
    } catch (TimeoutException e) {
      throw new AssertionError("no answer to " + method.getFullMethodName(), e);
    }
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

  private final class Stream<R extends Message> implements MessageStream<R> {
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
      connection.close();
    }
  }

  @Override
  public void close() {}
}
