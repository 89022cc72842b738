package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Deadline;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.Json;
import dev.sandpiper.tests.harness.LogsClient;
import dev.sandpiper.tests.harness.NodePackages;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.Shell;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// E2B's published command line, unmodified, shows and follows an agent's log; and the two shapes of E2B's API by which it,
/// and programs like it, ask. The agent has an access token, which is their API key.
final class E2bCommandLineIT {
  private static final String SANDBOX = "isandpiper0000000000";
  private static final String TOKEN = "e2b_" + "0123456789abcdef".repeat(3).substring(8);
  private static final Map<String, String> KEY = Map.of("X-API-Key", TOKEN);
  private static final long RUN_SECONDS = 60;
  private static final int LINES = 3000;

  private static AgentProcess agent;

  @TempDir static Path home;

  private static AgentProcess.Builder withToken() {
    return AgentProcess.builder()
        .flag("--sandbox-id", SANDBOX)
        .environment("SANDPIPER_ACCESS_TOKEN", TOKEN);
  }

  @BeforeAll
  static void start() {
    agent = withToken().start();
  }

  @AfterAll
  static void stop() {
    agent.close();
  }

  private static Command command(String script) {
    return Command.sh(script).header("X-Access-Token", TOKEN);
  }

  private static ProcessBuilder e2b(AgentProcess at, String... arguments) {
    ProcessBuilder program = NodePackages.e2b();
    program.command().addAll(List.of(arguments));
    program.environment().put("E2B_API_URL", "http://127.0.0.1:" + at.port());
    program.environment().put("E2B_API_KEY", TOKEN);
    program.environment().put("HOME", home.toString());
    program.environment().put("NO_UPDATE_NOTIFIER", "1");
    program.environment().remove("E2B_DEBUG");
    return program;
  }

  private static List<Json> objects(String stdout) {
    return stdout.lines().filter(it -> it.startsWith("{")).map(Json::parse).toList();
  }

  private static List<String> printed(List<Json> entries) {
    return entries.stream()
        .filter(it -> it.string("event_type").equals("process_output"))
        .map(it -> it.string("message"))
        .toList();
  }

  private static List<String> numbers(String prefix) {
    return IntStream.rangeClosed(1, LINES).mapToObj(it -> prefix + it).toList();
  }

  @Test
  void itShowsTheLog() {
    try (Processes processes = agent.processes();
        Follower follower = processes.start(command("seq -f shown-%g 1 " + LINES))) {
      follower.end();
    }

    Shell.Result json =
        Shell.run(e2b(agent, "sandbox", "logs", SANDBOX, "--format", "json"), RUN_SECONDS)
            .requireSuccess();
    List<Json> shown = objects(json.stdout());
    assertThat(printed(shown).stream().filter(it -> it.startsWith("shown-")))
        .containsExactlyElementsOf(numbers("shown-"));
    assertThat(shown).allMatch(it -> it.has("timestamp") && it.has("level"));

    Shell.Result pretty =
        Shell.run(
                e2b(agent, "sandbox", "logs", SANDBOX, "--level", "info", "--loggers", "process"),
                RUN_SECONDS)
            .requireSuccess();
    assertThat(pretty.stdout()).contains("shown-1", "shown-" + LINES, "process_output", "INFO");

    Shell.Result errors =
        Shell.run(
                e2b(agent, "sandbox", "logs", SANDBOX, "--level", "error", "--format", "json"),
                RUN_SECONDS)
            .requireSuccess();
    assertThat(printed(objects(errors.stdout()))).isEmpty();

    Shell.Result loggers =
        Shell.run(
                e2b(agent, "sandbox", "logs", SANDBOX, "--loggers", "nobody", "--format", "json"),
                RUN_SECONDS)
            .requireSuccess();
    assertThat(objects(loggers.stdout())).isEmpty();
  }

  @Test
  void itFollowsTheLogAndSkipsNothingOfOneMillisecond() throws Exception {
    Path out = home.resolve("followed");
    try (AgentProcess followed = withToken().start();
        Processes processes = followed.processes()) {
      ProcessBuilder builder =
          e2b(followed, "sandbox", "logs", SANDBOX, "--follow", "--format", "json");
      Process program = builder.redirectErrorStream(true).redirectOutput(out.toFile()).start();
      try {
        for (int i = 1; i <= 3; i++) {
          String prefix = "round-" + i + "-";
          try (Follower follower = processes.start(command("seq -f " + prefix + "%g 1 " + LINES))) {
            follower.end();
          }
          await()
              .atMost(Deadline.PATIENCE)
              .until(() -> Files.readString(out).contains(prefix + LINES + "\""));
        }
        followed.killHard();
        assertThat(program.waitFor(RUN_SECONDS, TimeUnit.SECONDS)).isTrue();
      } finally {
        program.destroyForcibly();
      }
    }
    List<String> expected = new ArrayList<>();
    for (int i = 1; i <= 3; i++) {
      expected.addAll(numbers("round-" + i + "-"));
    }
    assertThat(printed(objects(Files.readString(out)))).isEqualTo(expected);
  }

  @Test
  void anotherSandboxAndAnotherKeyAreRefused() {
    Shell.Result another = Shell.run(e2b(agent, "sandbox", "logs", "iother"), RUN_SECONDS);
    assertThat(another.exitCode()).isEqualTo(1);
    assertThat(another.stdout()).doesNotContain("process_");
    ProcessBuilder wrong = e2b(agent, "sandbox", "logs", SANDBOX);
    wrong.environment().put("E2B_API_KEY", "e2b_" + "0".repeat(40));
    Shell.Result refused = Shell.run(wrong, RUN_SECONDS);
    assertThat(refused.exitCode()).isEqualTo(1);
    assertThat(refused.stdout()).doesNotContain("process_");
  }

  private static Json ok(String path) {
    HttpConnection.Reply reply = new LogsClient(agent).get(path, KEY);
    assertThat(reply.status()).as(reply.text()).isEqualTo(200);
    assertThat(reply.header("content-type")).isEqualTo("application/json");
    return reply.json();
  }

  @Test
  void theSandboxRuns() {
    Json sandbox = ok("/sandboxes/" + SANDBOX);
    assertThat(sandbox.string("sandboxID")).isEqualTo(SANDBOX);
    assertThat(sandbox.string("state")).isEqualTo("running");
    assertThat(Instant.parse(sandbox.string("startedAt"))).isBefore(Instant.now());
    for (String path : List.of("", "/logs")) {
      assertThat(new LogsClient(agent).get("/sandboxes/" + SANDBOX + path).status()).isEqualTo(401);
    }
    assertThat(new LogsClient(agent).get("/logs", KEY).status())
        .as("a key counts for the paths of E2B's API only")
        .isEqualTo(401);
  }

  @Test
  void pagesOfTheFirstShapeEndWithAWholeMillisecond() {
    try (Processes processes = agent.processes();
        Follower follower =
            processes.start(command("seq -f first-%g 1 " + LINES + "; echo first-end"))) {
      follower.end();
    }
    List<String> messages = new ArrayList<>();
    long start = 0;
    int pages = 0;
    while (!messages.contains("first-end")) {
      Json page = ok("/sandboxes/" + SANDBOX + "/logs?limit=50&start=" + start);
      List<Json> lines = page.get("logs").array();
      assertThat(page.get("logEntries").array()).hasSameSizeAs(lines);
      for (Json line : lines) {
        messages.add(Json.parse(line.string("line")).string("message"));
        start = Instant.parse(line.string("timestamp")).toEpochMilli() + 1;
      }
      pages++;
    }
    assertThat(pages).isGreaterThan(1);
    assertThat(messages.stream().filter(it -> it.matches("first-\\d+")))
        .containsExactlyElementsOf(numbers("first-"));
    assertThat(
            ok("/sandboxes/" + SANDBOX + "/logs?start=" + (System.currentTimeMillis() + 60_000))
                .get("logs")
                .array())
        .as("from a time to come")
        .isEmpty();
  }

  @Test
  void pagesOfTheSecondShapeGoBothWays() {
    try (Processes processes = agent.processes();
        Follower follower =
            processes.start(command("seq -f second-%g 1 " + LINES + "; echo second-end"))) {
      follower.end();
    }
    String logs = "/v2/sandboxes/" + SANDBOX + "/logs?search=second-&limit=100";
    for (boolean exact : new boolean[] {true, false}) {
      List<String> backward = new ArrayList<>();
      String cursor = "";
      while (!backward.contains("second-1")) {
        Json page = ok(logs + cursor);
        for (Json entry : page.get("logs").array()) {
          assertThat(entry.string("level")).isEqualTo("info");
          assertThat(entry.get("fields").string("event_type")).startsWith("process_");
          backward.add(entry.string("message"));
          long millis = Instant.parse(entry.string("timestamp")).toEpochMilli();
          cursor = "&cursor=" + (exact ? page.string("nextCursor") : Long.toString(millis - 1));
        }
      }
      assertThat(backward.stream().filter(it -> it.matches("second-\\d+")).toList().reversed())
          .isEqualTo(numbers("second-"));
    }
    List<String> forward = new ArrayList<>();
    long cursor = 0;
    while (!forward.contains("second-end")) {
      for (Json entry : ok(logs + "&direction=forward&cursor=" + cursor).get("logs").array()) {
        forward.add(entry.string("message"));
        cursor = Instant.parse(entry.string("timestamp")).toEpochMilli() + 1;
      }
    }
    assertThat(forward.stream().filter(it -> it.matches("second-\\d+")))
        .containsExactlyElementsOf(numbers("second-"));
    for (String wrong : List.of("limit=1001", "limit=-1", "direction=up", "level=x", "cursor=x")) {
      assertThat(new LogsClient(agent).get("/v2/sandboxes/" + SANDBOX + "/logs?" + wrong, KEY))
          .extracting(HttpConnection.Reply::status)
          .isEqualTo(422);
    }
  }
}
