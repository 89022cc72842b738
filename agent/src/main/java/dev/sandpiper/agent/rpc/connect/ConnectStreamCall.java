package dev.sandpiper.agent.rpc.connect;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.rpc.Codec;
import dev.sandpiper.agent.rpc.Compression;
import dev.sandpiper.agent.rpc.EnvelopeCall;
import dev.sandpiper.agent.rpc.EnvelopeReader;
import dev.sandpiper.agent.rpc.HeaderMetadata;
import dev.sandpiper.agent.rpc.MessageReader;
import dev.sandpiper.agent.rpc.RpcMethod;
import dev.sandpiper.agent.rpc.RpcSettings;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.Status;
import org.jspecify.annotations.Nullable;

/// A stream in either or both directions: always HTTP 200, envelopes, and a last envelope that says how it ended.
final class ConnectStreamCall extends EnvelopeCall {
  static final int END_STREAM = 2;

  private final Compression compression;

  ConnectStreamCall(
      HttpExchange exchange,
      RpcMethod method,
      Codec codec,
      MessageReader reader,
      @Nullable Deadline deadline,
      Compression compression,
      RpcSettings settings) {
    super(exchange, method, codec, reader, deadline, compression, settings);
    this.compression = compression;
  }

  @Override
  protected void writeHead(Metadata metadata) {
    Headers headers = new Headers();
    HeaderMetadata.append(metadata, "", headers);
    headers.addLowerCase("content-type", "application/connect+" + codec.name());
    if (compression != Compression.IDENTITY) {
      headers.addLowerCase("connect-content-encoding", compression.wireName());
    }
    headers.addLowerCase("connect-accept-encoding", Compression.SUPPORTED);
    exchange.sendHead(200, headers);
  }

  @Override
  protected void writeEnd(@Nullable Metadata head, Status status, Metadata trailers) {
    if (head != null) {
      writeHead(head);
    }
    exchange.write(envelope(ConnectError.endStream(status, trailers), END_STREAM));
    exchange.end();
  }

  /// An error before there is a call.
  static void respondError(HttpExchange exchange, String contentType, Status status) {
    exchange.sendHead(200, Headers.of("content-type", contentType));
    byte[] end = ConnectError.endStream(status, new Metadata());
    exchange.write(
        exchange
            .newBuffer(EnvelopeReader.HEAD_BYTES + end.length)
            .writeByte(END_STREAM)
            .writeInt(end.length)
            .writeBytes(end));
    exchange.end();
  }
}
