package dev.sandpiper.agent.service;

import io.grpc.BindableService;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.util.List;

/// Server reflection: `grpc.reflection.v1` and, for older tools, `v1alpha`. What is hosted they ask of the call's context, in
/// which the engine puts it.
public final class Reflection {
  private Reflection() {}

  /// The two services.
  @SuppressWarnings("deprecation") // v1alpha is what grpcurl and others asked for up to 2023
  public static List<BindableService> services() {
    return List.of(
        ProtoReflectionServiceV1.newInstance(),
        io.grpc.protobuf.services.ProtoReflectionService.newInstance());
  }
}
