package dev.sandpiper.agent.service;

import dev.sandpiper.agent.launch.Scope;
import dev.sandpiper.agent.posix.Signals;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.agent.process.StopOutcome;
import dev.sandpiper.proto.v1.SignalRequest;
import dev.sandpiper.proto.v1.SignalResponse;
import dev.sandpiper.proto.v1.StopRequest;
import dev.sandpiper.proto.v1.StopResponse;
import io.grpc.Status;
import io.grpc.StatusException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// `Signal` and `Stop` of `sandpiper.v1`. What concerns a whole tree looks at every process of the machine, on a virtual thread.
final class NativeSignals {
  private static final Duration DEFAULT_GRACE = Duration.ofSeconds(5);
  private static final Duration MOST_GRACE = Duration.ofDays(1);
  private static final int MOST_KEY_LENGTH = 256;

  private final ProcessManager processes;
  private final ProcessRefs refs;
  private final FirstReplies<SignalResponse> replies = new FirstReplies<>();

  NativeSignals(ProcessManager processes, ProcessRefs refs) {
    this.processes = processes;
    this.refs = refs;
  }

  void signal(SignalRequest request, Reply<SignalResponse> reply) {
    String key = request.getKey();
    if (key.length() > MOST_KEY_LENGTH) {
      reply.fail(
          invalid(
              "key has %d characters, the limit is %d".formatted(key.length(), MOST_KEY_LENGTH)));
    } else if (key.isEmpty()) {
      signal(request, new Answer(reply, ""));
    } else if (replies.claim(key, request, reply)) {
      signal(request, new Answer(reply, key));
    }
  }

  /// The answer of one signal, which is kept when the call has a key.
  private final class Answer {
    private final Reply<SignalResponse> reply;
    private final String key;

    Answer(Reply<SignalResponse> reply, String key) {
      this.reply = reply;
      this.key = key;
    }

    void ok(SignalResponse response) {
      give(response, null);
    }

    void fail(Status status) {
      give(null, status);
    }

    private void give(@Nullable SignalResponse response, @Nullable Status failure) {
      if (!key.isEmpty()) {
        replies.done(key, reply, response, failure);
      } else if (response != null) {
        reply.ok(response);
      } else if (failure != null) {
        reply.fail(failure);
      }
    }
  }

  private void signal(SignalRequest request, Answer answer) {
    Optional<Status> wrong = wrong(request.getSignal(), request.getScope());
    if (wrong.isPresent()) {
      answer.fail(wrong.get());
      return;
    }
    ManagedProcess process;
    try {
      process = ProcessRefs.find(processes, request.getProcess());
    } catch (StatusException missing) {
      answer.fail(missing.getStatus());
      return;
    }
    if (isTree(request.getScope())) {
      Thread.startVirtualThread(() -> signalTree(process, request.getSignal(), answer));
    } else if (process.end() != null) {
      answer.fail(Failures.ended(process));
    } else {
      process
          .signal(request.getSignal(), scope(request.getScope()))
          .ifPresentOrElse(
              why -> answer.fail(Status.INTERNAL.withDescription("cannot send signal: " + why)),
              () -> answer.ok(SignalResponse.getDefaultInstance()));
    }
  }

  private void signalTree(ManagedProcess process, int signal, Answer answer) {
    try {
      answer.ok(
          SignalResponse.newBuilder()
              .setTree(TreeMessages.of(List.of(), processes.signalTree(process, signal)))
              .build());
    } catch (InterruptedException | RuntimeException failure) {
      answer.fail(unexpected(process, failure));
    }
  }

  void stop(StopRequest request, Reply<StopResponse> reply) {
    int signal = request.getSignal() == 0 ? Signals.SIGTERM : request.getSignal();
    Duration grace = request.hasGraceMs() ? Duration.ofMillis(request.getGraceMs()) : DEFAULT_GRACE;
    Optional<Status> wrong = wrong(signal, request.getScope());
    if (wrong.isPresent()) {
      reply.fail(wrong.get());
    } else if (grace.isNegative() || grace.compareTo(MOST_GRACE) > 0) {
      reply.fail(
          invalid(
              "grace_ms is %d, it must be 0 to %d"
                  .formatted(request.getGraceMs(), MOST_GRACE.toMillis())));
    } else {
      refs.find(
          request.getProcess(),
          reply,
          process -> {
            if (isTree(request.getScope())) {
              Thread.startVirtualThread(() -> stopTree(process, signal, grace, reply));
            } else {
              processes.stop(
                  process,
                  signal,
                  grace,
                  scope(request.getScope()),
                  outcome -> stopped(process, outcome, reply));
            }
          });
    }
  }

  private static void stopped(
      ManagedProcess process, StopOutcome outcome, Reply<StopResponse> reply) {
    outcome
        .failure()
        .ifPresentOrElse(
            why ->
                reply.fail(
                    Status.INTERNAL.withDescription(
                        "cannot stop process " + process.processId() + ": " + why)),
            () ->
                reply.ok(
                    StopResponse.newBuilder()
                        .setProcess(ProcessInfos.of(process))
                        .setKilled(outcome.killed())
                        .build()));
  }

  private void stopTree(
      ManagedProcess process, int signal, Duration grace, Reply<StopResponse> reply) {
    try {
      reply.ok(new TreeStop(processes, process).run(signal, grace));
    } catch (InterruptedException | RuntimeException failure) {
      reply.fail(unexpected(process, failure));
    }
  }

  private static Status unexpected(ManagedProcess process, Exception failure) {
    return Status.INTERNAL
        .withDescription("the tree of process %s: %s".formatted(process.processId(), failure))
        .withCause(failure);
  }

  private static Optional<Status> wrong(int signal, dev.sandpiper.proto.v1.Scope scope) {
    if (signal < 1 || signal > Signals.MAX) {
      return Optional.of(invalid("signal is " + signal + ", it must be 1 to " + Signals.MAX));
    }
    return scope == dev.sandpiper.proto.v1.Scope.UNRECOGNIZED
        ? Optional.of(invalid("scope is none that there is"))
        : Optional.empty();
  }

  private static boolean isTree(dev.sandpiper.proto.v1.Scope scope) {
    return scope == dev.sandpiper.proto.v1.Scope.SCOPE_TREE;
  }

  private static Scope scope(dev.sandpiper.proto.v1.Scope scope) {
    return scope == dev.sandpiper.proto.v1.Scope.SCOPE_LEADER ? Scope.LEADER : Scope.GROUP;
  }

  private static Status invalid(String what) {
    return Status.INVALID_ARGUMENT.withDescription(what);
  }
}
