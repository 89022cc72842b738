package dev.sandpiper.agent.rpc.grpc;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.rpc.Codec;
import dev.sandpiper.agent.rpc.Compression;
import dev.sandpiper.agent.rpc.Deadlines;
import dev.sandpiper.agent.rpc.EnvelopeReader;
import dev.sandpiper.agent.rpc.HeaderMetadata;
import dev.sandpiper.agent.rpc.RpcMethod;
import dev.sandpiper.agent.rpc.RpcServer;
import dev.sandpiper.agent.rpc.WireProtocol;
import io.grpc.Deadline;
import io.grpc.Status;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Reads the headers of a gRPC or gRPC-Web request and starts the call. Without a codec in the content type, `proto`.
///
/// gRPC is made for HTTP/2. Over HTTP/1.1 it is answered too, with chunked trailers.
public final class GrpcProtocol implements WireProtocol {
  private static final List<String> TYPES =
      List.of(
          "application/grpc",
          "application/grpc+proto",
          "application/grpc+json",
          "application/grpc-web",
          "application/grpc-web+proto",
          "application/grpc-web+json");

  @Override
  public List<String> contentTypes(boolean unary) {
    return TYPES;
  }

  @Override
  public void post(RpcServer server, RpcMethod method, HttpExchange exchange, String contentType) {
    Headers headers = exchange.requestHeaders();
    Codec codec = server.codec(contentType.endsWith("+json"));
    Deadline deadline = Deadlines.grpc(headers.get("grpc-timeout"));
    Compression in = Compression.ofRequest(headers.get("grpc-encoding"));
    Compression out = responseCompression(headers.get("grpc-accept-encoding"), in);
    int ignored = GrpcCall.isWeb(contentType) ? GrpcCall.TRAILERS : 0;
    var reader = new EnvelopeReader(in, server.settings().maxReceiveBytes(), ignored);
    new GrpcCall(exchange, method, codec, reader, deadline, out, server.settings(), contentType)
        .start(HeaderMetadata.toMetadata(headers));
  }

  /// What the client accepts; if it says nothing, what it sent itself.
  private static Compression responseCompression(@Nullable String accepted, Compression request) {
    return accepted == null ? request : Compression.ofAccepted(accepted);
  }

  @Override
  public void refuse(HttpExchange exchange, String contentType, Status status) {
    GrpcCall.respondError(exchange, contentType, status);
  }
}
