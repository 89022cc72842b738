package dev.sandpiper.agent.cli;

import dev.sandpiper.proto.process.PTY;
import dev.sandpiper.proto.process.ProcessConfig;
import dev.sandpiper.proto.process.StartRequest;
import dev.sandpiper.proto.v1.Command;
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

  /// The same for a command that nobody is attached to.
  dev.sandpiper.proto.v1.StartRequest detached(String key) {
    var process =
        Command.newBuilder()
            .setCmd(command.getFirst())
            .addAllArgs(command.subList(1, command.size()))
            .putAllEnv(environment)
            .setStdin(stdin);
    cwd.ifPresent(process::setCwd);
    user.ifPresent(process::setUser);
    tag.ifPresent(process::setTag);
    timeLimit.ifPresent(limit -> process.setTimeLimitMs(limit.toMillis()));
    if (terminal) {
      process.setTerminal(NativeClient.terminalSize(Terminal.Size.USUAL));
    }
    return dev.sandpiper.proto.v1.StartRequest.newBuilder().setCommand(process).setKey(key).build();
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
