package dev.sandpiper.agent.cli;

import dev.sandpiper.proto.process.PTY;
import dev.sandpiper.proto.process.ProcessConfig;
import dev.sandpiper.proto.process.StartRequest;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// What `run` was asked for. `agent` is absent when the caller named none; then the usual address is tried, and if
/// nobody answers there an agent is started. `token` is what a running agent may ask for.
record RunOptions(
    Optional<AgentUrl> agent,
    AgentUrl usualAgent,
    Optional<String> token,
    Optional<String> user,
    Optional<String> cwd,
    Map<String, String> environment,
    Optional<String> tag,
    Optional<Duration> timeLimit,
    boolean stdin,
    boolean terminal,
    boolean events,
    boolean records,
    List<String> command) {
  RunOptions {
    environment = Map.copyOf(environment);
    command = List.copyOf(command);
  }

  StartRequest request(boolean withInput, Terminal.Size size) {
    var process =
        ProcessConfig.newBuilder()
            .setCmd(command.getFirst())
            .addAllArgs(command.subList(1, command.size()))
            .putAllEnvs(environment);
    cwd.ifPresent(process::setCwd);
    var request = StartRequest.newBuilder().setProcess(process);
    if (terminal) {
      request.setPty(PTY.newBuilder().setSize(ProcessClient.size(size)));
    } else {
      request.setStdin(withInput);
    }
    tag.ifPresent(request::setTag);
    return request.build();
  }
}
