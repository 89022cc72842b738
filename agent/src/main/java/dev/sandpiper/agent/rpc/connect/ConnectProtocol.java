package dev.sandpiper.agent.rpc.connect;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.rpc.Codec;
import dev.sandpiper.agent.rpc.Compression;
import dev.sandpiper.agent.rpc.Deadlines;
import dev.sandpiper.agent.rpc.EnvelopeReader;
import dev.sandpiper.agent.rpc.HeaderMetadata;
import dev.sandpiper.agent.rpc.RpcMethod;
import dev.sandpiper.agent.rpc.RpcServer;
import dev.sandpiper.agent.rpc.RpcSettings;
import dev.sandpiper.agent.rpc.WholeBodyReader;
import dev.sandpiper.agent.rpc.WireProtocol;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Reads the headers of a Connect request and starts the call.
public final class ConnectProtocol implements WireProtocol {
  private static final List<String> UNARY = List.of("application/json", "application/proto");
  private static final List<String> STREAM =
      List.of("application/connect+json", "application/connect+proto");

  @Override
  public List<String> contentTypes(boolean unary) {
    return unary ? UNARY : STREAM;
  }

  @Override
  public void post(RpcServer server, RpcMethod method, HttpExchange exchange, String contentType) {
    Headers headers = exchange.requestHeaders();
    Codec codec = server.codec(contentType.endsWith("json"));
    RpcSettings settings = server.settings();
    checkVersion(headers.get("connect-protocol-version"));
    Deadline deadline = Deadlines.connect(headers.get("connect-timeout-ms"));
    Metadata metadata = HeaderMetadata.toMetadata(headers);
    if (method.isUnary()) {
      Compression in = Compression.ofRequest(headers.get("content-encoding"));
      Compression out = responseCompression(headers.get("accept-encoding"), in);
      var reader = new WholeBodyReader(in, settings.maxReceiveBytes());
      new ConnectUnaryCall(exchange, method, codec, reader, deadline, out, settings)
          .start(metadata);
    } else {
      Compression in = Compression.ofRequest(headers.get("connect-content-encoding"));
      Compression out = responseCompression(headers.get("connect-accept-encoding"), in);
      var reader = new EnvelopeReader(in, settings.maxReceiveBytes(), 0);
      new ConnectStreamCall(exchange, method, codec, reader, deadline, out, settings)
          .start(metadata);
    }
  }

  private static void checkVersion(@Nullable String version) {
    if (version != null && !version.equals("1")) {
      throw Status.INVALID_ARGUMENT
          .withDescription("connect-protocol-version must be \"1\": got \"" + version + "\"")
          .asRuntimeException();
    }
  }

  /// What the client accepts; if it says nothing, what it sent itself.
  private static Compression responseCompression(@Nullable String accepted, Compression request) {
    return accepted == null ? request : Compression.ofAccepted(accepted);
  }

  @Override
  public boolean get(RpcServer server, RpcMethod method, HttpExchange exchange) {
    return ConnectGet.start(server, method, exchange);
  }

  @Override
  public void refuse(HttpExchange exchange, String contentType, Status status) {
    if (contentType.startsWith("application/connect+")) {
      ConnectStreamCall.respondError(exchange, contentType, status);
    } else {
      ConnectUnaryCall.respondError(exchange, new Headers(), status, new Metadata());
    }
  }
}
