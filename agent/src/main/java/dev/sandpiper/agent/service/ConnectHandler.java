package dev.sandpiper.agent.service;

import dev.sandpiper.agent.output.Position;
import dev.sandpiper.agent.output.Promise;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.agent.process.Selector;
import dev.sandpiper.proto.process.ConnectRequest;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import java.util.Optional;

/// `Connect`: follows a live process from now on, or answers with the end of one that ended a moment ago (contract,
/// section 3.11).
final class ConnectHandler implements ServerCallHandler<ConnectRequest, Object> {
  private final ProcessManager processes;

  ConnectHandler(ProcessManager processes) {
    this.processes = processes;
  }

  @Override
  public ServerCall.Listener<ConnectRequest> startCall(
      ServerCall<ConnectRequest, Object> call, Metadata headers) {
    OutputCall output = new OutputCall(call, headers, false);
    return new FollowListener<>(call, output, request -> follow(output, request));
  }

  private void follow(OutputCall output, ConnectRequest request) {
    Optional<Selector> selector = Selectors.of(request.getProcess());
    if (selector.isEmpty()) {
      output.close(Selectors.UNSET);
      return;
    }
    // In this order nothing is missed: a process is retained before it leaves the live ones. One
    // that ends in between has
    // its mark in the log, behind or before the cursor's place, and is told as ended either way.
    var live = processes.find(selector.get());
    if (live.isPresent()) {
      output.begin(live.get(), live.get().log().cursor(Position.NOW, Promise.EVERYTHING));
      return;
    }
    processes
        .findEnded(selector.get())
        .ifPresentOrElse(
            ended -> output.replay(ended.pid(), ended.end()),
            () -> output.close(Failures.notFound(selector.get())));
  }
}
