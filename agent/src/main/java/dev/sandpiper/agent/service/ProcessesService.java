package dev.sandpiper.agent.service;

import dev.sandpiper.agent.launch.PtySize;
import dev.sandpiper.agent.output.Cancellable;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.proto.v1.DeleteRequest;
import dev.sandpiper.proto.v1.DeleteResponse;
import dev.sandpiper.proto.v1.GetRequest;
import dev.sandpiper.proto.v1.GetResponse;
import dev.sandpiper.proto.v1.ProcessInfo;
import dev.sandpiper.proto.v1.ProcessesGrpc;
import dev.sandpiper.proto.v1.ResizeRequest;
import dev.sandpiper.proto.v1.ResizeResponse;
import dev.sandpiper.proto.v1.WaitRequest;
import dev.sandpiper.proto.v1.WaitResponse;
import io.grpc.BindableService;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/// `sandpiper.v1.Processes`, our own API, on the same processes as E2B's.
///
/// What a repeated call meets is said plainly: a process nobody knows is `not_found`; one that has ended is known by its id,
/// answers Stop, Wait and Get with its end, and refuses what only a running one can do with `failed_precondition`.
public final class ProcessesService implements BindableService {
  private final ProcessManager processes;
  private final ProcessRefs refs;

  /// The service over these processes.
  public ProcessesService(ProcessManager processes) {
    this.processes = processes;
    this.refs = new ProcessRefs(processes);
  }

  @Override
  public ServerServiceDefinition bindService() {
    NativeStarts starts = new NativeStarts(processes);
    NativeSignals signals = new NativeSignals(processes, refs);
    return ServerServiceDefinition.builder(ProcessesGrpc.getServiceDescriptor())
        .addMethod(ProcessesGrpc.getStartMethod(), new UnaryHandler<>(starts::start))
        .addMethod(ProcessesGrpc.getGetMethod(), new UnaryHandler<>(this::get))
        .addMethod(
            ProcessesGrpc.getListMethod(), new UnaryHandler<>(new ProcessList(processes)::page))
        .addMethod(ProcessesGrpc.getSignalMethod(), new UnaryHandler<>(signals::signal))
        .addMethod(ProcessesGrpc.getStopMethod(), new UnaryHandler<>(signals::stop))
        .addMethod(ProcessesGrpc.getDeleteMethod(), new UnaryHandler<>(this::delete))
        .addMethod(ProcessesGrpc.getWaitMethod(), UnaryHandler.waiting(this::await))
        .addMethod(encoding(ProcessesGrpc.getReadMethod()), new ReadHandler(processes))
        .addMethod(ProcessesGrpc.getWriteMethod(), new UnaryHandler<>(new WriteHandler(processes)))
        .addMethod(ProcessesGrpc.getResizeMethod(), new UnaryHandler<>(this::resize))
        .addMethod(
            ProcessesGrpc.getRunMethod(), UnaryHandler.waiting(new RunHandler(processes)::run))
        .build();
  }

  /// The method as one whose answers encode themselves: the engine takes a `PayloadMessage` in place of the generated type,
  /// and generics are gone at run time.
  @SuppressWarnings("unchecked")
  private static <Q> MethodDescriptor<Q, Object> encoding(MethodDescriptor<Q, ?> method) {
    return (MethodDescriptor<Q, Object>) method;
  }

  private void get(GetRequest request, Reply<GetResponse> reply) {
    refs.find(
        request.getProcess(),
        reply,
        process -> {
          if (request.getWithTree()) {
            Thread.startVirtualThread(() -> getTree(process, reply));
          } else {
            reply.ok(GetResponse.newBuilder().setProcess(ProcessInfos.of(process)).build());
          }
        });
  }

  /// Looks at every process of the machine.
  private void getTree(ManagedProcess process, Reply<GetResponse> reply) {
    try {
      GetResponse.Builder response = GetResponse.newBuilder();
      processes
          .trees()
          .members(process.treeRoot())
          .forEach(member -> response.addTree(TreeMessages.of(member)));
      reply.ok(response.setProcess(ProcessInfos.of(process)).build());
    } catch (InterruptedException | RuntimeException failure) {
      reply.fail(
          Status.INTERNAL
              .withDescription("the tree of process %s: %s".formatted(process.processId(), failure))
              .withCause(failure));
    }
  }

  private void delete(DeleteRequest request, Reply<DeleteResponse> reply) {
    refs.find(
        request.getProcess(),
        reply,
        process -> {
          switch (processes.delete(process.processId())) {
            case DELETED -> reply.ok(DeleteResponse.getDefaultInstance());
            case LIVE ->
                reply.fail(
                    Status.FAILED_PRECONDITION.withDescription(
                        "process " + process.processId() + " has not ended; stop it first"));
            case UNKNOWN -> // by somebody else, just now
                reply.fail(ProcessRefs.unknown(process.processId()));
          }
        });
  }

  private void resize(ResizeRequest request, Reply<ResizeResponse> reply) {
    PtySize size;
    try {
      size = NativeRequests.size("size", request.getSize());
    } catch (IllegalArgumentException invalid) {
      reply.fail(Status.INVALID_ARGUMENT.withDescription(invalid.getMessage()));
      return;
    }
    refs.find(
        request.getProcess(),
        reply,
        process -> {
          if (process.end() != null) {
            reply.fail(Failures.ended(process));
          } else if (!process.terminal()) {
            reply.fail(
                Status.FAILED_PRECONDITION.withDescription(
                    "process " + process.processId() + " has no terminal"));
          } else {
            process
                .resize(size)
                .ifPresentOrElse(
                    why -> reply.fail(Status.INTERNAL.withDescription("cannot resize: " + why)),
                    () -> reply.ok(ResizeResponse.getDefaultInstance()));
          }
        });
  }

  private Cancellable await(
      WaitRequest request, ServerCall<WaitRequest, WaitResponse> call, Metadata headers) {
    Reply<WaitResponse> reply = new Reply<>(call);
    if (request.getTimeoutMs() < 0) {
      reply.fail(
          Status.INVALID_ARGUMENT.withDescription(
              "timeout_ms is " + request.getTimeoutMs() + ", it must not be negative"));
      return () -> {};
    }
    Wait wait = new Wait(reply, Calls.executor(call));
    refs.find(request.getProcess(), reply, process -> wait.begin(process, request.getTimeoutMs()));
    return wait;
  }

  /// One caller who waits for an end. On the call's executor.
  private static final class Wait implements Cancellable {
    private final Reply<WaitResponse> reply;
    private final ScheduledExecutorService executor;
    private Cancellable end = () -> {};
    private Cancellable timer = () -> {};
    private boolean over;

    Wait(Reply<WaitResponse> reply, ScheduledExecutorService executor) {
      this.reply = reply;
      this.executor = executor;
    }

    void begin(ManagedProcess process, long timeoutMillis) {
      end = process.whenEnded(() -> executor.execute(() -> answer(process)));
      if (timeoutMillis > 0) {
        ScheduledFuture<?> scheduled =
            executor.schedule(() -> answer(process), timeoutMillis, TimeUnit.MILLISECONDS);
        timer = () -> scheduled.cancel(false);
      }
    }

    private void answer(ManagedProcess process) {
      if (over) {
        return;
      }
      cancel();
      ProcessInfo info = ProcessInfos.of(process);
      reply.ok(WaitResponse.newBuilder().setProcess(info).build());
    }

    @Override
    public void cancel() {
      over = true;
      end.cancel();
      timer.cancel();
    }
  }
}
