package dev.sandpiper.agent.service;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.grpc.ServerServiceDefinition;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.protobuf.services.HealthStatusManager;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// `grpc.health.v1.Health`: the agent and each of its services serve from the start until the agent stops. Made when somebody
/// asks. Thread-safe.
public final class Health {
  private final List<String> services;

  @GuardedBy("this")
  private @Nullable HealthStatusManager manager;

  @GuardedBy("this")
  private boolean stopping;

  /// @param services by name; the agent as a whole, which has the empty name, is beside them
  public Health(List<String> services) {
    this.services = List.copyOf(services);
  }

  /// The service to be hosted.
  public synchronized ServerServiceDefinition bindService() {
    HealthStatusManager made = new HealthStatusManager();
    services.forEach(name -> made.setStatus(name, ServingStatus.SERVING));
    if (stopping) {
      made.enterTerminalState();
    }
    manager = made;
    return made.getHealthService().bindService();
  }

  /// Nothing serves from now on; who watches is told.
  public synchronized void stopping() {
    stopping = true;
    if (manager != null) {
      manager.enterTerminalState();
    }
  }
}
