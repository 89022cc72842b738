package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.ManagedProcesses;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.PythonPackages;
import dev.sandpiper.tests.harness.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `/openapi.yaml`, and that the agent answers as it says.
final class OpenApiIT {
  private static final int EXAMPLES = 60;
  private static final String TOKEN = "secret";
  private static final long RUN_SECONDS = 900;

  @TempDir Path directory;

  private static String get(AgentProcess agent, String path, Map<String, String> headers) {
    try (HttpConnection connection = agent.http()) {
      HttpConnection.Reply reply = connection.send("GET", path, headers).reply();
      assertThat(reply.status()).isEqualTo(200);
      return reply.text();
    }
  }

  private static Set<String> found(String regex, String text) {
    return Pattern.compile(regex, Pattern.MULTILINE)
        .matcher(text)
        .results()
        .map((MatchResult result) -> result.group(1))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  @Test
  void everyRouteIsDescribed() {
    try (AgentProcess agent = AgentProcess.start()) {
      String description = get(agent, "/openapi.yaml", Map.of());
      assertThat(description).startsWith("openapi: 3.1.0\n").doesNotContain("VERSION");
      Set<String> routes =
          found("route=\"(/[^\"]*)\"", get(agent, "/metrics", Map.of("Accept", "text/plain")));
      assertThat(found("^  (/[^:]*):$", description)).isEqualTo(routes).hasSizeGreaterThan(10);
    }
  }

  /// Thousands of generated requests, right ones and wrong ones, on every route. `src/test/python/openapi` says what is
  /// left out.
  @Test
  void noAnswerIsOutsideTheDescription() throws IOException {
    proofOnly();
    try (AgentProcess agent = AgentProcess.builder().flag("--sandbox-id", "sandbox").start()) {
      ManagedProcesses processes = new ManagedProcesses(agent);
      for (String script :
          new String[] {"seq 1 100; seq 1 50 >&2", "printf 'a\\377b'; kill -9 $$"}) {
        processes.awaitEnd(processes.shell(script));
      }
      // Once /init has set a token, the others could only be refused.
      schemathesis(agent, "--exclude-path", "/init");
    }
  }

  @Test
  void noAnswerOfInitIsOutsideTheDescription() throws IOException {
    proofOnly();
    try (AgentProcess agent = AgentProcess.start()) {
      schemathesis(agent, "--include-path", "/init");
    }
  }

  @Test
  void noRefusalIsOutsideTheDescription() throws IOException {
    proofOnly();
    try (AgentProcess agent =
        AgentProcess.builder().environment("SANDPIPER_ACCESS_TOKEN", TOKEN).start()) {
      schemathesis(
          agent,
          "--checks",
          "not_a_server_error,status_code_conformance,"
              + "content_type_conformance,response_headers_conformance,response_schema_conformance");
    }
  }

  private static void proofOnly() {
    assumeTrue(Boolean.getBoolean("sandpiper.proof"), "runs in the profile `proof`");
  }

  private void schemathesis(AgentProcess agent, String... options) throws IOException {
    String url = "http://127.0.0.1:" + agent.port();
    Path description = directory.resolve("openapi.yaml");
    Files.writeString(directory.resolve("there.txt"), "there\n");
    Files.writeString(description, get(agent, "/openapi.yaml", Map.of("X-Access-Token", TOKEN)));
    ProcessBuilder program = PythonPackages.schemathesis(directory);
    program
        .command()
        .addAll(
            List.of(
                description.toString(),
                "--url",
                url,
                "--max-examples",
                Integer.toString(EXAMPLES),
                "--workers",
                "2"));
    program.command().addAll(List.of(options));
    program.environment().put("SANDPIPER_TEST_DIRECTORY", directory.toString());
    program.environment().put("SANDPIPER_TEST_URL", url);
    long started = System.nanoTime();
    Shell.Result result = Shell.run(program, RUN_SECONDS);
    Measured.print(
        "schemathesis: %.1f s; %s",
        Measured.seconds(Measured.since(started)),
        result.stdout().lines().filter(line -> line.contains("generated")).toList());
    assertThat(result.exitCode()).as("%s", result).isZero();
  }
}
