package dev.sandpiper.agent.cli;

import dev.sandpiper.proto.v1.Scope;
import dev.sandpiper.proto.v1.SignalRequest;
import dev.sandpiper.proto.v1.StopRequest;
import dev.sandpiper.proto.v1.TreeOutcome;
import dev.sandpiper.proto.v1.WaitRequest;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// `kill`, `stop` and `wait`: each does one thing to every process that is named, in order, and goes on after one that fails.
final class ControlCommands {
  private static final int SIGKILL = 9;

  private ControlCommands() {}

  /// One process's share; returns an exit code.
  private interface Each {
    int apply(NativeClient client, String name) throws IOException, ApiException;
  }

  private static int forEach(AgentOptions agent, List<String> names, Screen screen, Each each)
      throws IOException {
    var worst = ExitCode.OK;
    try (var client = new NativeClient(agent)) {
      for (var name : names) {
        try {
          worst = Math.max(worst, each.apply(client, name));
        } catch (ApiException e) {
          screen.complain(name + ": " + e.text());
          worst = Math.max(worst, ExitCode.FAILED);
        }
      }
    }
    return worst;
  }

  /// `sandpiper kill`: a signal, and no waiting.
  record Kill(AgentOptions agent, int signal, Scope scope, List<String> names)
      implements ClientCommand {
    @Override
    public int run(Screen screen) throws IOException {
      return forEach(
          agent,
          names,
          screen,
          (client, name) -> {
            var request =
                SignalRequest.newBuilder()
                    .setProcess(NativeClient.ref(client.find(name)))
                    .setSignal(signal)
                    .setScope(scope);
            var answer = client.signal(request.build());
            return tree(answer.hasTree(), signal == SIGKILL, answer.getTree(), name, screen);
          });
    }
  }

  /// `sandpiper stop`: a signal, grace, SIGKILL; prints how each one ended.
  record Stop(
      AgentOptions agent, int signal, Optional<Duration> grace, Scope scope, List<String> names)
      implements ClientCommand {
    @Override
    public int run(Screen screen) throws IOException {
      return forEach(
          agent,
          names,
          screen,
          (client, name) -> {
            var request =
                StopRequest.newBuilder()
                    .setProcess(NativeClient.ref(client.find(name)))
                    .setSignal(signal)
                    .setScope(scope);
            grace.ifPresent(time -> request.setGraceMs(time.toMillis()));
            var answer = client.stop(request.build());
            screen.line(name + ": " + Ends.words(answer.getProcess().getEnd()));
            return tree(answer.hasTree(), true, answer.getTree(), name, screen);
          });
    }
  }

  /// Says who is left and what could not be seen. A tree that was killed and is not known to be gone is a failure.
  private static int tree(
      boolean asked, boolean killed, TreeOutcome tree, String name, Screen screen) {
    for (var survivor : tree.getSurvivorsList()) {
      screen.complain(
          "%s: pid %d (%s) goes on: %s"
              .formatted(name, survivor.getPid(), survivor.getName(), survivor.getWhy()));
    }
    if (asked && killed && !tree.getGone()) {
      for (var limit : tree.getLimitsList()) {
        screen.complain(name + ": not known to be gone: " + limit);
      }
      return ExitCode.FAILED;
    }
    return tree.getSurvivorsCount() > 0 ? ExitCode.FAILED : ExitCode.OK;
  }

  /// `sandpiper wait`: until all have ended; the exit code is that of the last one named.
  record Wait(AgentOptions agent, Optional<Duration> limit, List<String> names)
      implements ClientCommand {
    @Override
    public int run(Screen screen) throws IOException, ApiException {
      var began = System.nanoTime();
      var code = ExitCode.OK;
      try (var client = new NativeClient(agent)) {
        for (var name : names) {
          var request = WaitRequest.newBuilder().setProcess(NativeClient.ref(client.find(name)));
          if (limit.isPresent()) {
            // 0 would be no limit.
            var left = limit.get().toMillis() - (System.nanoTime() - began) / 1_000_000;
            request.setTimeoutMs(Math.max(1, left));
          }
          var process = client.await(request.build()).getProcess();
          if (!process.hasEnd()) {
            screen.complain(name + " still runs");
            return ExitCode.TIMEOUT;
          }
          code = Ends.exitCode(process.getEnd());
          if (code == ExitCode.AGENT) {
            screen.complain(name + ": " + Ends.words(process.getEnd()));
          }
        }
      }
      return code;
    }
  }
}
