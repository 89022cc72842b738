package dev.sandpiper.agent.service;

import dev.sandpiper.agent.launch.Scope;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.proto.v1.SignalRequest;
import dev.sandpiper.proto.v1.SignalResponse;
import dev.sandpiper.proto.v1.StopRequest;
import dev.sandpiper.proto.v1.StopResponse;
import io.grpc.Status;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// `Signal` and `Stop` of `sandpiper.v1`.
final class NativeSignals {
  private static final int SIGTERM = 15;
  private static final int MOST_SIGNAL = 64;
  private static final Duration DEFAULT_GRACE = Duration.ofSeconds(5);
  private static final Duration MOST_GRACE = Duration.ofDays(1);

  private final ProcessManager processes;
  private final ProcessRefs refs;

  NativeSignals(ProcessManager processes, ProcessRefs refs) {
    this.processes = processes;
    this.refs = refs;
  }

  void signal(SignalRequest request, Reply<SignalResponse> reply) {
    int signal = request.getSignal();
    Scope scope = scope(request.getScope());
    if (signal < 1 || signal > MOST_SIGNAL) {
      reply.fail(invalid("signal is " + signal + ", it must be 1 to " + MOST_SIGNAL));
    } else if (scope == null) {
      reply.fail(unknownScope(request.getScopeValue()));
    } else {
      refs.find(request.getProcess(), reply, process -> signal(process, signal, scope, reply));
    }
  }

  private static void signal(
      ManagedProcess process, int signal, Scope scope, Reply<SignalResponse> reply) {
    if (process.end() != null) {
      reply.fail(Failures.ended(process));
      return;
    }
    process
        .signal(signal, scope)
        .ifPresentOrElse(
            why -> reply.fail(Status.INTERNAL.withDescription("cannot send signal: " + why)),
            () -> reply.ok(SignalResponse.getDefaultInstance()));
  }

  void stop(StopRequest request, Reply<StopResponse> reply) {
    int signal = request.getSignal() == 0 ? SIGTERM : request.getSignal();
    Scope scope = scope(request.getScope());
    Duration grace = request.hasGraceMs() ? Duration.ofMillis(request.getGraceMs()) : DEFAULT_GRACE;
    if (signal < 1 || signal > MOST_SIGNAL) {
      reply.fail(invalid("signal is " + signal + ", it must be 1 to " + MOST_SIGNAL));
    } else if (grace.isNegative() || grace.compareTo(MOST_GRACE) > 0) {
      reply.fail(
          invalid(
              "grace_ms is %d, it must be 0 to %d"
                  .formatted(request.getGraceMs(), MOST_GRACE.toMillis())));
    } else if (scope == null) {
      reply.fail(unknownScope(request.getScopeValue()));
    } else {
      refs.find(
          request.getProcess(),
          reply,
          process ->
              processes.stop(
                  process,
                  signal,
                  grace,
                  scope,
                  outcome ->
                      outcome
                          .failure()
                          .ifPresentOrElse(
                              why ->
                                  reply.fail(
                                      Status.INTERNAL.withDescription(
                                          "cannot stop process "
                                              + process.processId()
                                              + ": "
                                              + why)),
                              () ->
                                  reply.ok(
                                      StopResponse.newBuilder()
                                          .setProcess(ProcessInfos.of(process))
                                          .setKilled(outcome.killed())
                                          .build()))));
    }
  }

  private static @Nullable Scope scope(dev.sandpiper.proto.v1.Scope scope) {
    return switch (scope) {
      case SCOPE_UNSPECIFIED, SCOPE_GROUP, SCOPE_TREE -> Scope.GROUP;
      case SCOPE_LEADER -> Scope.LEADER;
      case UNRECOGNIZED -> null;
    };
  }

  private static Status unknownScope(int value) {
    return invalid("scope " + value + " is none that there is");
  }

  private static Status invalid(String what) {
    return Status.INVALID_ARGUMENT.withDescription(what);
  }
}
