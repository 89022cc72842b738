package dev.sandpiper.agent.service;

import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.agent.process.Selector;
import dev.sandpiper.proto.v1.ProcessRef;
import io.grpc.Status;
import io.grpc.StatusException;
import java.util.function.Consumer;

/// Whom a request of `sandpiper.v1` means: by id a live or a finished process, by pid or tag a live one.
final class ProcessRefs {
  private final ProcessManager processes;

  ProcessRefs(ProcessManager processes) {
    this.processes = processes;
  }

  /// Hands the process on, or answers what is wrong with the reference.
  void find(ProcessRef ref, Reply<?> reply, Consumer<ManagedProcess> then) {
    ManagedProcess process;
    try {
      process = find(processes, ref);
    } catch (StatusException missing) {
      reply.fail(missing.getStatus());
      return;
    }
    then.accept(process);
  }

  /// @throws StatusException when it names nobody, or nobody who is known
  static ManagedProcess find(ProcessManager processes, ProcessRef ref) throws StatusException {
    return switch (ref.getRefCase()) {
      case ID -> processes.get(ref.getId()).orElseThrow(() -> unknown(ref.getId()).asException());
      case PID -> live(processes, new Selector.ByPid(ref.getPid()));
      case TAG -> live(processes, new Selector.ByTag(ref.getTag()));
      case REF_NOT_SET ->
          throw Status.INVALID_ARGUMENT
              .withDescription("process names neither id nor pid nor tag")
              .asException();
    };
  }

  static Status unknown(String processId) {
    return Status.NOT_FOUND.withDescription("process " + processId + " not found");
  }

  private static ManagedProcess live(ProcessManager processes, Selector selector)
      throws StatusException {
    return processes.find(selector).orElseThrow(() -> Failures.notFound(selector).asException());
  }
}
