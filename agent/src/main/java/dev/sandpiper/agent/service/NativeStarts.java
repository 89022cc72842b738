package dev.sandpiper.agent.service;

import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.agent.process.StartCallback;
import dev.sandpiper.agent.process.StartRefused;
import dev.sandpiper.agent.process.StartSpec;
import dev.sandpiper.proto.v1.StartRequest;
import dev.sandpiper.proto.v1.StartResponse;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;

/// `Start` of `sandpiper.v1`.
final class NativeStarts {
  private final ProcessManager processes;
  private final SpawnBudget budget = new SpawnBudget();

  NativeStarts(ProcessManager processes) {
    this.processes = processes;
  }

  void start(StartRequest request, ServerCall<StartRequest, StartResponse> call, Metadata headers) {
    Reply<StartResponse> reply = new Reply<>(call);
    StartSpec spec;
    try {
      spec =
          NativeRequests.spec(
              request.getCommand(),
              Calls.userName(call),
              NativeRequests.given(request.getKey()),
              false);
    } catch (IllegalArgumentException invalid) {
      reply.fail(Status.INVALID_ARGUMENT.withDescription(invalid.getMessage()));
      return;
    }
    processes.start(
        spec,
        budget.take(Calls.executor(call)),
        new StartCallback() {
          @Override
          public void onStarted(ManagedProcess process) {
            answer(process, false);
          }

          @Override
          public void onExisting(ManagedProcess process) {
            answer(process, true);
          }

          private void answer(ManagedProcess process, boolean existed) {
            reply.ok(
                StartResponse.newBuilder()
                    .setProcess(ProcessInfos.of(process))
                    .setExisted(existed)
                    .build());
          }

          @Override
          public void onRefused(StartRefused refused) {
            reply.fail(Failures.of(refused));
          }
        });
  }
}
