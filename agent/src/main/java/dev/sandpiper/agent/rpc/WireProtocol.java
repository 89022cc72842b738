package dev.sandpiper.agent.rpc;

import dev.sandpiper.agent.http.HttpExchange;
import io.grpc.Status;
import java.util.List;

/// A family of wire formats, told by the content type.
public interface WireProtocol {
  /// The content types for a method, without parameters. For `Accept-Post`.
  List<String> contentTypes(boolean unary);

  /// Takes a POST of one of the content types.
  ///
  /// @throws io.grpc.StatusRuntimeException when its headers are wrong, and then nothing was answered
  void post(RpcServer server, RpcMethod method, HttpExchange exchange, String contentType);

  /// Takes a GET of a unary method without side effects; false if it is not in this protocol.
  ///
  /// @throws io.grpc.StatusRuntimeException as above
  default boolean get(RpcServer server, RpcMethod method, HttpExchange exchange) {
    return false;
  }

  /// Answers a POST with one of the content types with an error, before any call.
  void refuse(HttpExchange exchange, String contentType, Status status);
}
