package dev.sandpiper.agent.service;

import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.agent.process.Selector;
import dev.sandpiper.proto.process.ProcessInput;
import dev.sandpiper.proto.process.StreamInputRequest;
import dev.sandpiper.proto.process.StreamInputResponse;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.Status;
import java.util.Optional;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/// `StreamInput`: `start` picks the process (and may be repeated to pick another), each `data` is written before the next
/// message is asked for, so a process that reads slowly slows its client down and nothing piles up.
final class StreamInputHandler
    implements ServerCallHandler<StreamInputRequest, StreamInputResponse> {
  private final ProcessManager processes;

  StreamInputHandler(ProcessManager processes) {
    this.processes = processes;
  }

  @Override
  public ServerCall.Listener<StreamInputRequest> startCall(
      ServerCall<StreamInputRequest, StreamInputResponse> call, Metadata headers) {
    call.request(1);
    return new InputListener(call);
  }

  private final class InputListener extends ServerCall.Listener<StreamInputRequest> {
    private final ServerCall<StreamInputRequest, StreamInputResponse> call;
    private final Executor executor;
    private @Nullable ManagedProcess process;
    private boolean writing;
    private boolean halfClosed;
    private boolean closed;

    InputListener(ServerCall<StreamInputRequest, StreamInputResponse> call) {
      this.call = call;
      this.executor = Calls.executor(call);
    }

    @Override
    public void onMessage(StreamInputRequest message) {
      if (closed) {
        return;
      }
      switch (message.getEventCase()) {
        case START -> pick(message.getStart());
        case DATA -> write(message.getData().getInput());
        case KEEPALIVE -> call.request(1);
        case EVENT_NOT_SET -> fail(Status.UNIMPLEMENTED.withDescription("message holds no event"));
      }
    }

    private void pick(StreamInputRequest.StartEvent start) {
      Optional<Selector> selector = Selectors.of(start.getProcess());
      if (selector.isEmpty()) {
        fail(Selectors.UNSET);
        return;
      }
      process = processes.find(selector.get()).orElse(null);
      if (process == null) {
        fail(Failures.notFound(selector.get()));
      } else {
        call.request(1);
      }
    }

    private void write(ProcessInput input) {
      ManagedProcess target = process;
      if (target == null) {
        fail(Status.INVALID_ARGUMENT.withDescription("data came before start named a process"));
        return;
      }
      writing = true;
      InputWriter.write(target, input, status -> executor.execute(() -> written(status)));
    }

    private void written(Status status) {
      writing = false;
      if (closed) {
        return;
      }
      if (!status.isOk()) {
        fail(status);
      } else if (halfClosed) {
        complete();
      } else {
        call.request(1);
      }
    }

    @Override
    public void onHalfClose() {
      halfClosed = true;
      if (!writing && !closed) {
        complete();
      }
    }

    @Override
    public void onCancel() {
      closed = true;
    }

    private void complete() {
      closed = true;
      call.sendHeaders(new Metadata());
      call.sendMessage(StreamInputResponse.getDefaultInstance());
      call.close(Status.OK, new Metadata());
    }

    private void fail(Status status) {
      closed = true;
      call.close(status, new Metadata());
    }
  }
}
