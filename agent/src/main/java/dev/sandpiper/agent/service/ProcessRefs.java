package dev.sandpiper.agent.service;

import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.agent.process.Selector;
import dev.sandpiper.proto.v1.ProcessRef;
import io.grpc.Status;
import io.grpc.StatusException;

/// Whom a request of `sandpiper.v1` means.
final class ProcessRefs {
  private ProcessRefs() {}

  /// @throws StatusException when it names nobody, or nobody who is known
  static ManagedProcess find(ProcessManager processes, ProcessRef ref) throws StatusException {
    return switch (ref.getRefCase()) {
      case ID ->
          processes
              .get(ref.getId())
              .orElseThrow(() ->
                  Status.NOT_FOUND
                      .withDescription("process " + ref.getId() + " not found")
                      .asException());
      case PID -> live(processes, new Selector.ByPid(ref.getPid()));
      case TAG -> live(processes, new Selector.ByTag(ref.getTag()));
      case REF_NOT_SET ->
          throw Status.INVALID_ARGUMENT
              .withDescription("process names neither id nor pid nor tag")
              .asException();
    };
  }

  private static ManagedProcess live(ProcessManager processes, Selector selector)
      throws StatusException {
    return processes.find(selector).orElseThrow(() -> Failures.notFound(selector).asException());
  }
}
