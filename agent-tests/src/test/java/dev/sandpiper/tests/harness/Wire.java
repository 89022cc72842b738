package dev.sandpiper.tests.harness;

import java.time.Duration;
import java.util.Map;

/// Every protocol with the codecs and versions of HTTP that its clients use.
public enum Wire {
  CONNECT_JSON,
  CONNECT_BINARY,
  CONNECT_JSON_HTTP2,
  CONNECT_BINARY_HTTP2,
  GRPC,
  GRPC_WEB,
  GRPC_WEB_HTTP2;

  /// A client of the test's own. Its calls have a connection each over HTTP/1.1 and share the client's over HTTP/2; the
  /// caller closes it.
  public Processes client(AgentProcess agent) {
    int port = agent.port();
    return new Processes(
        switch (this) {
          case CONNECT_JSON -> new ConnectClient(port, ConnectClient.Codec.JSON);
          case CONNECT_BINARY -> new ConnectClient(port, ConnectClient.Codec.BINARY);
          case CONNECT_JSON_HTTP2 -> ConnectClient.http2(port, ConnectClient.Codec.JSON);
          case CONNECT_BINARY_HTTP2 -> ConnectClient.http2(port, ConnectClient.Codec.BINARY);
          case GRPC -> new GrpcClient(port);
          case GRPC_WEB -> new GrpcWebClient(port);
          case GRPC_WEB_HTTP2 -> GrpcWebClient.http2(port);
        });
  }

  /// The header that limits a call's time.
  public Map<String, String> timeout(Duration limit) {
    return switch (this) {
      case CONNECT_JSON, CONNECT_BINARY, CONNECT_JSON_HTTP2, CONNECT_BINARY_HTTP2 ->
          Map.of("Connect-Timeout-Ms", Long.toString(limit.toMillis()));
      case GRPC, GRPC_WEB, GRPC_WEB_HTTP2 -> Map.of("grpc-timeout", limit.toMillis() + "m");
    };
  }
}
