package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.Native;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What is said of a log that cannot be read.
final class LogStoreIT {
  private static void removeOutput(AgentProcess agent) throws IOException {
    try (Stream<Path> files = Files.list(agent.stateDirectory().resolve("output"))) {
      List<Path> all = files.toList();
      assertThat(all).isNotEmpty();
      for (Path file : all) {
        Files.delete(file);
      }
    }
  }

  private static HttpConnection.Reply get(AgentProcess agent, String path) {
    try (HttpConnection connection = agent.http()) {
      return connection.send("GET", path, Map.of()).reply();
    }
  }

  /// T-26: an error, and never an empty list.
  @ParameterizedTest
  @ValueSource(strings = {"/logs", "/sandboxes/s1/logs", "/v2/sandboxes/s1/logs"})
  void aQueryOfALogThatCannotBeReadIsAnError(String route) throws IOException {
    try (AgentProcess agent = AgentProcess.builder().flag("--sandbox-id", "s1").start()) {
      Native api = new Native(agent.processes().rpc());
      api.await(api.start("echo printed").getId());
      assertThat(get(agent, route).text()).contains("printed");
      removeOutput(agent);
      HttpConnection.Reply refused = get(agent, route);
      assertThat(refused.status()).isEqualTo(500);
      assertThat(refused.text()).contains("was removed by somebody else");
      assertThat(get(agent, "/health").status()).isEqualTo(204);
    }
  }
}
