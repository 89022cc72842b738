package dev.sandpiper.agent.cli;

import dev.sandpiper.proto.v1.StartRequest;
import java.io.IOException;

/// `sandpiper run --detach`: starts a command, prints its id, and leaves it to itself.
record DetachCommand(AgentOptions agent, StartRequest request) implements ClientCommand {
  @Override
  public int run(Screen screen) throws IOException, ApiException {
    try (var client = new NativeClient(agent)) {
      screen.line(client.start(request).getProcess().getId());
      return ExitCode.OK;
    } catch (ApiException e) {
      screen.complain(e.text());
      return switch (e.code()) {
        case "not_found" -> ExitCode.NOT_FOUND;
        case "permission_denied" -> ExitCode.NOT_EXECUTABLE;
        default -> ExitCode.AGENT;
      };
    }
  }
}
