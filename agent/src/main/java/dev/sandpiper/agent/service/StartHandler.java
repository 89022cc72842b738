package dev.sandpiper.agent.service;

import dev.sandpiper.agent.launch.PtySize;
import dev.sandpiper.agent.launch.Stdio;
import dev.sandpiper.agent.output.Position;
import dev.sandpiper.agent.output.Promise;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.agent.process.StartCallback;
import dev.sandpiper.agent.process.StartRefused;
import dev.sandpiper.agent.process.StartSpec;
import dev.sandpiper.proto.process.ProcessConfig;
import dev.sandpiper.proto.process.StartRequest;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.Status;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ScheduledExecutorService;

/// `Start`: spawns, answers with the pid as soon as the spawn has succeeded and never before, then follows the output.
///
/// `Connect-Timeout-Ms` is the process's time limit here (contract, section 1.4); zero and negative values mean none.
final class StartHandler implements ServerCallHandler<StartRequest, Object> {
  private static final Metadata.Key<String> TIMEOUT =
      Metadata.Key.of("connect-timeout-ms", Metadata.ASCII_STRING_MARSHALLER);

  /// For a terminal that was asked for without a size: what programs assume of one that reports none.
  private static final PtySize DEFAULT_SIZE = new PtySize(80, 24);

  private final ProcessManager processes;
  private final SpawnBudget budget = new SpawnBudget();

  StartHandler(ProcessManager processes) {
    this.processes = processes;
  }

  @Override
  public ServerCall.Listener<StartRequest> startCall(
      ServerCall<StartRequest, Object> call, Metadata headers) {
    Optional<Duration> limit = timeLimit(headers);
    OutputCall output = new OutputCall(call, headers, limit.isPresent());
    return new FollowListener<>(call, output, request -> start(call, output, request, limit));
  }

  private void start(
      ServerCall<StartRequest, Object> call,
      OutputCall output,
      StartRequest request,
      Optional<Duration> limit) {
    if (!request.hasProcess() || request.getProcess().getCmd().isEmpty()) {
      output.close(Status.INVALID_ARGUMENT.withDescription("process.cmd is required"));
      return;
    }
    StartSpec spec;
    try {
      spec = spec(call, request, limit);
    } catch (IllegalArgumentException invalid) {
      output.close(Status.INVALID_ARGUMENT.withDescription(invalid.getMessage()));
      return;
    }
    ScheduledExecutorService executor = Calls.executor(call);
    processes.start(
        spec,
        budget.take(executor),
        new StartCallback() {
          private final Thread caller = Thread.currentThread();

          @Override
          public void onStarted(ManagedProcess process) {
            var cursor = process.log().cursor(Position.BEGINNING, Promise.EVERYTHING);
            run(() -> output.begin(process, cursor));
          }

          @Override
          public void onRefused(StartRefused refused) {
            run(() -> output.close(Failures.of(refused)));
          }

          private void run(Runnable step) {
            if (Thread.currentThread().equals(caller)) {
              step.run();
            } else {
              executor.execute(step);
            }
          }
        });
  }

  private static StartSpec spec(
      ServerCall<?, ?> call, StartRequest request, Optional<Duration> limit) {
    ProcessConfig config = request.getProcess();
    Stdio stdio =
        request.hasPty()
            ? new Stdio.Terminal(
                request.getPty().hasSize() ? PtySizes.of(request.getPty().getSize()) : DEFAULT_SIZE)
            : new Stdio.Pipes(!request.hasStdin() || request.getStdin());
    return new StartSpec(
        config.getCmd(),
        config.getArgsList(),
        config.getEnvsMap(),
        config.hasCwd() ? Optional.of(config.getCwd()) : Optional.empty(),
        Calls.userName(call),
        request.hasTag() ? Optional.of(request.getTag()) : Optional.empty(),
        stdio,
        limit);
  }

  /// The engine has refused what is not a number of at most ten digits.
  private static Optional<Duration> timeLimit(Metadata headers) {
    String value = headers.get(TIMEOUT);
    if (value == null) {
      return Optional.empty();
    }
    try {
      long millis = Long.parseLong(value.strip());
      return millis > 0 ? Optional.of(Duration.ofMillis(millis)) : Optional.empty();
    } catch (NumberFormatException _) {
      return Optional.empty();
    }
  }
}
