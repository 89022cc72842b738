package dev.sandpiper.agent.service;

import dev.sandpiper.agent.launch.Stdio;
import dev.sandpiper.agent.output.Cancellable;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.agent.process.StartCallback;
import dev.sandpiper.agent.process.StartRefused;
import dev.sandpiper.agent.process.StartSpec;
import dev.sandpiper.proto.v1.RunRequest;
import dev.sandpiper.proto.v1.RunResponse;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import java.util.Optional;

/// `Run`: a command from its start to its end in one call.
///
/// What it printed is read from its log at the end; only of a long output the beginning is taken on the way, as retention may
/// remove it before.
final class RunHandler {
  private static final long DEFAULT_LIMIT = 1L << 20;
  private static final long MOST_LIMIT = 4L << 20;

  private final ProcessManager processes;
  private final SpawnBudget budget = new SpawnBudget();
  private final RunMemory memory = new RunMemory();

  RunHandler(ProcessManager processes) {
    this.processes = processes;
  }

  Cancellable run(RunRequest request, ServerCall<RunRequest, RunResponse> call, Metadata headers) {
    Reply<RunResponse> reply = new Reply<>(call);
    long limit = request.getOutputLimit() == 0 ? DEFAULT_LIMIT : request.getOutputLimit();
    StartSpec spec;
    try {
      if (limit < 2 || limit > MOST_LIMIT) {
        throw new IllegalArgumentException(
            "output_limit is %d, it must be 2 to %d".formatted(limit, MOST_LIMIT));
      }
      spec = spec(request, call);
    } catch (IllegalArgumentException invalid) {
      reply.fail(Status.INVALID_ARGUMENT.withDescription(invalid.getMessage()));
      return () -> {};
    }
    Run run = new Run(processes, memory, reply, (int) limit);
    processes.start(
        spec,
        budget.take(Calls.executor(call)),
        new StartCallback() {
          @Override
          public void onStarted(ManagedProcess process) {
            run.begin(process, request.getInput());
          }

          @Override
          public void onRefused(StartRefused refused) {
            reply.fail(Failures.of(refused));
          }
        });
    return run;
  }

  /// Input is a pipe when there is some, and end of file otherwise.
  private static StartSpec spec(RunRequest request, ServerCall<?, ?> call) {
    StartSpec asked =
        NativeRequests.spec(
            request.getCommand(), Calls.userName(call), Optional.empty(), /* ephemeral= */ true);
    if (asked.stdio() instanceof Stdio.Terminal) {
      return asked;
    }
    return new StartSpec(
        asked.cmd(),
        asked.args(),
        asked.environment(),
        asked.cwd(),
        asked.user(),
        asked.tag(),
        new Stdio.Pipes(!request.getInput().isEmpty()),
        asked.timeLimit(),
        Optional.empty(),
        true);
  }
}
