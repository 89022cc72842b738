package dev.sandpiper.agent.service;

import dev.sandpiper.agent.launch.PtySize;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.agent.process.Selector;
import dev.sandpiper.agent.process.StartSpec;
import dev.sandpiper.proto.process.CloseStdinRequest;
import dev.sandpiper.proto.process.CloseStdinResponse;
import dev.sandpiper.proto.process.ListRequest;
import dev.sandpiper.proto.process.ListResponse;
import dev.sandpiper.proto.process.ProcessConfig;
import dev.sandpiper.proto.process.ProcessGrpc;
import dev.sandpiper.proto.process.ProcessInfo;
import dev.sandpiper.proto.process.ProcessSelector;
import dev.sandpiper.proto.process.SendInputRequest;
import dev.sandpiper.proto.process.SendInputResponse;
import dev.sandpiper.proto.process.SendSignalRequest;
import dev.sandpiper.proto.process.SendSignalResponse;
import dev.sandpiper.proto.process.Signal;
import dev.sandpiper.proto.process.UpdateRequest;
import dev.sandpiper.proto.process.UpdateResponse;
import io.grpc.BindableService;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import java.util.Optional;
import java.util.function.Consumer;

/// `process.Process`, E2B's wire contract (section 3 of the contract), on our processes.
public final class ProcessService implements BindableService {
  private final ProcessManager processes;

  /// The service over these processes.
  public ProcessService(ProcessManager processes) {
    this.processes = processes;
  }

  @Override
  public ServerServiceDefinition bindService() {
    return ServerServiceDefinition.builder(ProcessGrpc.getServiceDescriptor())
        .addMethod(ProcessGrpc.getListMethod(), new UnaryHandler<>(this::list))
        .addMethod(following(ProcessGrpc.getConnectMethod()), new ConnectHandler(processes))
        .addMethod(following(ProcessGrpc.getStartMethod()), new StartHandler(processes))
        .addMethod(ProcessGrpc.getUpdateMethod(), new UnaryHandler<>(this::update))
        .addMethod(ProcessGrpc.getStreamInputMethod(), new StreamInputHandler(processes))
        .addMethod(ProcessGrpc.getSendInputMethod(), new UnaryHandler<>(this::sendInput))
        .addMethod(ProcessGrpc.getSendSignalMethod(), new UnaryHandler<>(this::sendSignal))
        .addMethod(ProcessGrpc.getCloseStdinMethod(), new UnaryHandler<>(this::closeStdin))
        .build();
  }

  /// The method as one whose answers encode themselves: the engine takes a `PayloadMessage` in place of the generated
  /// type, and generics are gone at run time.
  @SuppressWarnings("unchecked")
  private static <Q> MethodDescriptor<Q, Object> following(MethodDescriptor<Q, ?> method) {
    return (MethodDescriptor<Q, Object>) method;
  }

  private void list(ListRequest request, Reply<ListResponse> reply) {
    ListResponse.Builder response = ListResponse.newBuilder();
    for (ManagedProcess process : processes.list()) {
      process.spec().ifPresent(spec -> response.addProcesses(info(process, spec)));
    }
    reply.ok(response.build());
  }

  private static ProcessInfo info(ManagedProcess process, StartSpec spec) {
    ProcessConfig.Builder config =
        ProcessConfig.newBuilder()
            .setCmd(spec.cmd())
            .addAllArgs(spec.args())
            .putAllEnvs(spec.environment());
    spec.cwd().ifPresent(config::setCwd);
    ProcessInfo.Builder info = ProcessInfo.newBuilder().setConfig(config).setPid(process.pid());
    spec.tag().ifPresent(info::setTag);
    return info.build();
  }

  private void update(UpdateRequest request, Reply<UpdateResponse> reply) {
    live(
        request.getProcess(),
        reply,
        process -> {
          if (!request.hasPty()) {
            reply.ok(UpdateResponse.getDefaultInstance());
            return;
          }
          if (!process.terminal()) {
            reply.fail(
                Status.INTERNAL.withDescription("error resizing tty: tty not assigned to process"));
            return;
          }
          if (!request.getPty().hasSize()) {
            reply.fail(Status.INVALID_ARGUMENT.withDescription("pty.size is required"));
            return;
          }
          PtySize size;
          try {
            size = PtySizes.of(request.getPty().getSize());
          } catch (IllegalArgumentException invalid) {
            reply.fail(Status.INVALID_ARGUMENT.withDescription(invalid.getMessage()));
            return;
          }
          answer(
              reply,
              UpdateResponse.getDefaultInstance(),
              "error resizing tty",
              process.resize(size));
        });
  }

  private void sendInput(SendInputRequest request, Reply<SendInputResponse> reply) {
    live(
        request.getProcess(),
        reply,
        process ->
            InputWriter.write(
                process,
                request.getInput(),
                status -> {
                  if (status.isOk()) {
                    reply.ok(SendInputResponse.getDefaultInstance());
                  } else {
                    reply.fail(status);
                  }
                }));
  }

  private void sendSignal(SendSignalRequest request, Reply<SendSignalResponse> reply) {
    live(
        request.getProcess(),
        reply,
        process -> {
          Signal signal = request.getSignal();
          if (signal != Signal.SIGNAL_SIGKILL && signal != Signal.SIGNAL_SIGTERM) {
            reply.fail(Status.UNIMPLEMENTED.withDescription("invalid signal: " + signal));
            return;
          }
          answer(
              reply,
              SendSignalResponse.getDefaultInstance(),
              "error sending signal",
              process.signal(signal.getNumber())); // the wire's numbers are the kernel's
        });
  }

  private static <A> void answer(Reply<A> reply, A done, String what, Optional<String> failure) {
    failure.ifPresentOrElse(
        why -> reply.fail(Status.INTERNAL.withDescription(what + ": " + why)),
        () -> reply.ok(done));
  }

  private void closeStdin(CloseStdinRequest request, Reply<CloseStdinResponse> reply) {
    live(
        request.getProcess(),
        reply,
        process -> {
          if (process.terminal()) {
            reply.fail(
                Status.UNKNOWN.withDescription(
                    "error closing stdin: process '"
                        + process.pid()
                        + "' runs on a terminal; send byte 0x04 as pty input"));
            return;
          }
          process.closeInput();
          reply.ok(CloseStdinResponse.getDefaultInstance());
        });
  }

  private void live(ProcessSelector wire, Reply<?> reply, Consumer<ManagedProcess> then) {
    Optional<Selector> selector = Selectors.of(wire);
    if (selector.isEmpty()) {
      reply.fail(Selectors.UNSET);
      return;
    }
    processes
        .find(selector.get())
        .ifPresentOrElse(then, () -> reply.fail(Failures.notFound(selector.get())));
  }
}
