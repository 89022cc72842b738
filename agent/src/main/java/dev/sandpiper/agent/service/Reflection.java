package dev.sandpiper.agent.service;

import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.InternalServer;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/// Server reflection (`grpc.reflection.v1` and, for older tools, `v1alpha`) over the services of our engine.
///
/// grpc-java's implementation asks the `io.grpc.Server` that it finds in the call's context for its services; there is no such
/// server here, so each call gets one that knows its services and nothing else.
public final class Reflection {
  private Reflection() {}

  /// The two services.
  ///
  /// @param hosted what is hosted, asked at each call
  public static List<ServerServiceDefinition> services(
      Supplier<List<ServerServiceDefinition>> hosted) {
    ServerInterceptor context = new InServerContext(new HostedServices(hosted));
    return List.of(
        ServerInterceptors.intercept(ProtoReflectionServiceV1.newInstance(), context),
        ServerInterceptors.intercept(alpha(), context));
  }

  @SuppressWarnings("deprecation") // what grpcurl and others up to 2023 ask for
  private static io.grpc.BindableService alpha() {
    return io.grpc.protobuf.services.ProtoReflectionService.newInstance();
  }

  private record InServerContext(Server server) implements ServerInterceptor {
    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
      return Contexts.interceptCall(
          Context.current().withValue(InternalServer.SERVER_CONTEXT_KEY, server),
          call,
          headers,
          next);
    }
  }

  /// Answers what is hosted. Its life is the agent's, and nobody asks it for more.
  private static final class HostedServices extends Server {
    private final Supplier<List<ServerServiceDefinition>> hosted;

    HostedServices(Supplier<List<ServerServiceDefinition>> hosted) {
      this.hosted = hosted;
    }

    @Override
    public List<ServerServiceDefinition> getImmutableServices() {
      return hosted.get();
    }

    @Override
    public List<ServerServiceDefinition> getMutableServices() {
      return List.of();
    }

    @Override
    public List<ServerServiceDefinition> getServices() {
      return hosted.get();
    }

    @Override
    public Server start() {
      throw new UnsupportedOperationException("the agent starts its own front door");
    }

    @Override
    public Server shutdown() {
      throw new UnsupportedOperationException("the agent stops its own front door");
    }

    @Override
    public Server shutdownNow() {
      return shutdown();
    }

    @Override
    public boolean isShutdown() {
      return false;
    }

    @Override
    public boolean isTerminated() {
      return false;
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) {
      return false;
    }

    @Override
    public void awaitTermination() {
      throw new UnsupportedOperationException("nobody waits for the agent here");
    }
  }
}
