package dev.sandpiper.agent.rpc.grpc;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.rpc.Codec;
import dev.sandpiper.agent.rpc.Compression;
import dev.sandpiper.agent.rpc.EnvelopeCall;
import dev.sandpiper.agent.rpc.HeaderMetadata;
import dev.sandpiper.agent.rpc.MessageReader;
import dev.sandpiper.agent.rpc.RpcMethod;
import dev.sandpiper.agent.rpc.RpcSettings;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.Status;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/// A gRPC or gRPC-Web call. gRPC ends with HTTP trailers; gRPC-Web, whose clients cannot read those, with an envelope
/// that holds them as text.
final class GrpcCall extends EnvelopeCall {
  static final int TRAILERS = 0x80;

  private final String contentType;
  private final boolean web;
  private final Compression compression;

  GrpcCall(
      HttpExchange exchange,
      RpcMethod method,
      Codec codec,
      MessageReader reader,
      @Nullable Deadline deadline,
      Compression compression,
      RpcSettings settings,
      String contentType) {
    super(exchange, method, codec, reader, deadline, compression, settings);
    this.contentType = contentType;
    this.web = isWeb(contentType);
    this.compression = compression;
  }

  static boolean isWeb(String contentType) {
    return contentType.startsWith("application/grpc-web");
  }

  @Override
  protected void writeHead(Metadata metadata) {
    exchange.sendHead(200, head(metadata));
  }

  private Headers head(Metadata metadata) {
    Headers headers = new Headers();
    HeaderMetadata.append(metadata, "", headers);
    headers.addLowerCase("content-type", contentType);
    if (compression != Compression.IDENTITY) {
      headers.addLowerCase("grpc-encoding", compression.wireName());
    }
    headers.addLowerCase("grpc-accept-encoding", ACCEPTED);
    return headers;
  }

  static final String ACCEPTED = "identity, " + Compression.SUPPORTED;

  @Override
  protected void writeEnd(@Nullable Metadata head, Status status, Metadata metadata) {
    Headers trailers = new Headers();
    GrpcStatus.append(status, metadata, trailers);
    if (head != null) {
      writeHead(head);
    }
    if (web) {
      exchange.write(envelope(text(trailers), TRAILERS));
      exchange.end();
    } else {
      exchange.end(trailers);
    }
  }

  private static byte[] text(Headers trailers) {
    StringBuilder text = new StringBuilder(128);
    trailers.forEach((name, value) -> text.append(name).append(": ").append(value).append("\r\n"));
    return text.toString().getBytes(StandardCharsets.UTF_8);
  }

  /// An error before there is a call: everything in the head ("trailers-only").
  static void respondError(HttpExchange exchange, String contentType, Status status) {
    Headers headers = Headers.of("content-type", contentType);
    GrpcStatus.append(status, new Metadata(), headers);
    headers.addLowerCase("grpc-accept-encoding", ACCEPTED);
    if (isWeb(contentType)) {
      headers.addLowerCase("content-length", "0");
    }
    exchange.sendHead(200, headers);
    exchange.end();
  }
}
