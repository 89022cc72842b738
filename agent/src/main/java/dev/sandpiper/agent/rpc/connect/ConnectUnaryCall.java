package dev.sandpiper.agent.rpc.connect;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.rpc.Codec;
import dev.sandpiper.agent.rpc.Codes;
import dev.sandpiper.agent.rpc.Compression;
import dev.sandpiper.agent.rpc.EncodedMessage;
import dev.sandpiper.agent.rpc.HeaderMetadata;
import dev.sandpiper.agent.rpc.MessageReader;
import dev.sandpiper.agent.rpc.PayloadMessage;
import dev.sandpiper.agent.rpc.RpcCall;
import dev.sandpiper.agent.rpc.RpcMethod;
import dev.sandpiper.agent.rpc.RpcSettings;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.Status;
import io.netty.buffer.ByteBuf;
import java.nio.channels.FileChannel;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// A unary call as one HTTP request: headers, message and trailers (as headers that begin with `trailer-`) leave
/// together when the service has closed the call.
final class ConnectUnaryCall extends RpcCall {
  private final Compression compression;
  private final RpcSettings settings;
  private @Nullable ByteBuf response; // the event loop's, until the end writes or releases it
  private @Nullable EncodedMessage file; // the event loop's, like the response, in place of it
  private boolean compressed;

  ConnectUnaryCall(
      HttpExchange exchange,
      RpcMethod method,
      Codec codec,
      MessageReader reader,
      @Nullable Deadline deadline,
      Compression compression,
      RpcSettings settings) {
    super(exchange, method, codec, reader, deadline);
    this.compression = compression;
    this.settings = settings;
  }

  @Override
  protected boolean writesHeadEarly() {
    return false;
  }

  @Override
  protected void writeHead(Metadata headers) {
    throw new IllegalStateException("the head leaves with the end");
  }

  @Override
  protected ByteBuf encode(Object message) {
    if (compression == Compression.IDENTITY) {
      return codec.encode(method, message, exchange::newBuffer);
    }
    return packed(codec.encode(method, message));
  }

  private ByteBuf packed(byte[] plain) {
    boolean worthIt =
        compression != Compression.IDENTITY && plain.length >= settings.compressFromBytes();
    byte[] bytes = worthIt ? compression.compress(plain) : plain;
    compressed = worthIt;
    return exchange.newBuffer(bytes.length).writeBytes(bytes);
  }

  @Override
  protected void sendPayload(PayloadMessage message) {
    try {
      sendEncoded(packed(materialise(message)));
    } finally {
      message.release();
    }
  }

  @Override
  protected void sendWhole(EncodedMessage message) {
    int length = message.length();
    if (message.file() != null) {
      onLoop(() -> {
        if (isOver()) {
          message.release();
        } else {
          beforeMessage();
          file = message;
        }
      });
    } else if (compression == Compression.IDENTITY) {
      sendEncoded(exchange.newBuffer(length).writeBytes(message.bytes(), 0, length));
    } else {
      sendEncoded(packed(Arrays.copyOf(message.bytes(), length)));
    }
  }

  @Override
  protected void writeMessage(ByteBuf encoded) {
    response = encoded;
  }

  @Override
  protected void writeEnd(@Nullable Metadata head, Status status, Metadata trailers) {
    ByteBuf body = response;
    response = null;
    Headers headers = new Headers();
    if (head != null) {
      HeaderMetadata.append(head, "", headers);
    }
    HeaderMetadata.append(trailers, "trailer-", headers);
    EncodedMessage whole = file;
    file = null;
    if (!status.isOk()) {
      if (body != null) {
        body.release();
      }
      if (whole != null) {
        whole.release();
      }
      respondError(exchange, headers, status, trailers);
      return;
    }
    headers.addLowerCase("content-type", "application/" + codec.name());
    if (compressed) {
      headers.addLowerCase("content-encoding", compression.wireName());
    }
    headers.addLowerCase("accept-encoding", Compression.SUPPORTED);
    int length = whole != null ? whole.length() : body == null ? 0 : body.readableBytes();
    headers.addLowerCase("content-length", Integer.toString(length));
    exchange.sendHead(200, headers);
    FileChannel channel = whole == null ? null : whole.file();
    if (whole != null && channel != null) {
      exchange.writeFile(null, channel, 0, length, whole::release);
    } else if (body != null) {
      exchange.write(body);
    }
    exchange.end();
  }

  static void respondError(
      HttpExchange exchange, Headers headers, Status status, Metadata trailers) {
    headers.set("content-type", "application/json");
    exchange.respond(
        Codes.httpStatus(status.getCode()), headers, ConnectError.unary(status, trailers));
  }

  @Override
  protected void dropped() {
    if (response != null) {
      response.release();
      response = null;
    }
    if (file != null) {
      file.release();
      file = null;
    }
  }
}
