package dev.sandpiper.agent.service;

import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.proto.v1.ProcessesGrpc;
import io.grpc.BindableService;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;

/// `sandpiper.v1.Processes`, Sandpiper's own API for processes.
public final class ProcessesService implements BindableService {
  private final ReadHandler read;
  private final WriteHandler write;

  /// The service over these processes.
  public ProcessesService(ProcessManager processes) {
    this.read = new ReadHandler(processes);
    this.write = new WriteHandler(processes);
  }

  @Override
  public ServerServiceDefinition bindService() {
    // With the descriptor in place of the name once every method of it is served.
    return ServerServiceDefinition.builder(ProcessesGrpc.SERVICE_NAME)
        .addMethod(encoding(ProcessesGrpc.getReadMethod()), read)
        .addMethod(ProcessesGrpc.getWriteMethod(), new UnaryHandler<>(write))
        .build();
  }

  /// The method as one whose answers encode themselves: the engine takes a `PayloadMessage` in place of the generated type,
  /// and generics are gone at run time.
  @SuppressWarnings("unchecked")
  private static <Q> MethodDescriptor<Q, Object> encoding(MethodDescriptor<Q, ?> method) {
    return (MethodDescriptor<Q, Object>) method;
  }
}
