package dev.sandpiper.tests.harness;

import com.google.protobuf.Message;
import io.grpc.MethodDescriptor;
import java.util.List;
import java.util.Map;

/// One wire format's client for generated methods. Errors are [RpcException]s. Thread-safe; every call has its own
/// connection, except over gRPC.
public interface RpcClient extends AutoCloseable {
  <Q extends Message, R extends Message> R unary(
      MethodDescriptor<Q, R> method, Q request, Map<String, String> headers);

  <Q extends Message, R extends Message> MessageStream<R> serverStream(
      MethodDescriptor<Q, R> method, Q request, Map<String, String> headers);

  <Q extends Message, R extends Message> R clientStream(
      MethodDescriptor<Q, R> method, List<Q> requests, Map<String, String> headers);

  @Override
  void close();
}
