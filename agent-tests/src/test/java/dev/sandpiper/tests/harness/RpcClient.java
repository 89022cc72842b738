package dev.sandpiper.tests.harness;

import com.google.protobuf.Message;
import io.grpc.MethodDescriptor;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;

/// One wire format's client for generated methods. Errors are [RpcException]s. Thread-safe; over HTTP/1.1 every call has
/// its own connection, over HTTP/2 they share the client's.
public interface RpcClient extends AutoCloseable {
  <Q extends Message, R extends Message> R unary(
      MethodDescriptor<Q, R> method, Q request, Map<String, String> headers);

  <Q extends Message, R extends Message> MessageStream<R> serverStream(
      MethodDescriptor<Q, R> method, Q request, Map<String, String> headers);

  /// Begins a call whose requests follow, of a method that takes a stream of them.
  <Q extends Message, R extends Message> RpcCall<Q, R> open(
      MethodDescriptor<Q, R> method, Map<String, String> headers);

  default <Q extends Message, R extends Message> R clientStream(
      MethodDescriptor<Q, R> method, List<Q> requests, Map<String, String> headers) {
    try (RpcCall<Q, R> call = open(method, headers)) {
      requests.forEach(call::send);
      call.halfClose();
      return call.only();
    } catch (TimeoutException e) {
      throw new AssertionError("no answer to " + method.getFullMethodName(), e);
    }
  }

  @Override
  void close();
}
