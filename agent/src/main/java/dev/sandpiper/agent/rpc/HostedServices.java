package dev.sandpiper.agent.rpc;

import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/// What grpc-java's reflection service asks for: a `Server` in the call's context, to list services from. Nothing else of
/// it is real.
final class HostedServices extends Server {
  private final Supplier<List<ServerServiceDefinition>> services;

  HostedServices(Supplier<List<ServerServiceDefinition>> services) {
    this.services = services;
  }

  @Override
  public List<ServerServiceDefinition> getServices() {
    return services.get();
  }

  @Override
  public List<ServerServiceDefinition> getImmutableServices() {
    return List.of();
  }

  @Override
  public List<ServerServiceDefinition> getMutableServices() {
    return services.get(); // they may be added at any time
  }

  @Override
  public Server start() {
    throw new UnsupportedOperationException("the front door is started instead");
  }

  @Override
  public Server shutdown() {
    throw new UnsupportedOperationException("the front door is shut down instead");
  }

  @Override
  public Server shutdownNow() {
    throw new UnsupportedOperationException("the front door is shut down instead");
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
    throw new UnsupportedOperationException("the front door is shut down instead");
  }

  @Override
  public void awaitTermination() {
    throw new UnsupportedOperationException("the front door is shut down instead");
  }
}
