package dev.sandpiper.agent.service;

import io.grpc.BindableService;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import java.util.Map;
import java.util.function.Supplier;

/// Server reflection: `grpc.reflection.v1` and, for older tools, `v1alpha`. What is hosted they ask of the call's context, in
/// which the engine puts it.
public final class Reflection {
  private Reflection() {}

  /// The two services by name, neither made yet: most agents are never asked, and each has a hundred classes.
  @SuppressWarnings("deprecation") // v1alpha is what grpcurl and others asked for up to 2023
  public static Map<String, Supplier<BindableService>> services() {
    return Map.of(
        ServerReflectionGrpc.SERVICE_NAME,
        ProtoReflectionServiceV1::newInstance,
        io.grpc.reflection.v1alpha.ServerReflectionGrpc.SERVICE_NAME,
        io.grpc.protobuf.services.ProtoReflectionService::newInstance);
  }
}
