package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.RestartedAgent;
import dev.sandpiper.tests.harness.Shell;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/// `sandpiper ps`, `logs`, `attach`, `kill`, `stop`, `wait` and `run --detach`, as they are typed.
final class ClientCommandsIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  private static final long LIMIT_SECONDS = 60;

  @TempDir Path directory;

  private final String tag = "t-" + UUID.randomUUID();

  private ProcessBuilder builder(int port, String... arguments) {
    List<String> command = new ArrayList<>(List.of(AgentProcess.executable().toString()));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command).directory(directory.toFile());
    builder.environment().keySet().removeIf(name -> name.startsWith("SANDPIPER_"));
    builder.environment().put("SANDPIPER_PORT", Integer.toString(port));
    builder.redirectInput(Path.of("/dev/null").toFile());
    return builder;
  }

  private Shell.Result sandpiper(String... arguments) {
    return Shell.run(builder(AGENT.get().port(), arguments), LIMIT_SECONDS);
  }

  private String detach(String script) {
    Shell.Result result =
        sandpiper("run", "--detach", "--stdin", "--tag", tag, "--", "sh", "-c", script)
            .requireSuccess();
    return result.stdout().strip();
  }

  @Test
  void aDetachedCommandIsListedReadWaitedForAndReadAgain() {
    String id = detach("printf 'a\\0b\\n'; echo wrong >&2; read line; echo $line; exit 3");

    assertThat(sandpiper("ps").stdout()).contains(id).contains("running").contains(tag);
    assertThat(sandpiper("ps", "--format", "json").stdout())
        .contains("{\"id\":\"" + id + "\"")
        .contains("\"state\":\"running\"");
    Shell.Result printed = sandpiper("logs", tag);
    assertThat(printed.stdout()).isEqualTo("a\0b\n");
    assertThat(printed.stderr()).isEqualTo("wrong\n");
    assertThat(sandpiper("wait", id, "--timeout", "10ms").exitCode()).isEqualTo(124);

    ProcessBuilder attach = builder(AGENT.get().port(), "attach", id, "--tail", "1");
    Path typed = directory.resolve("typed");
    write(typed, "hello\n");
    Shell.Result attached = Shell.run(attach.redirectInput(typed.toFile()), LIMIT_SECONDS);
    assertThat(attached.stdout()).endsWith("hello\n");
    assertThat(attached.exitCode()).isEqualTo(3);

    assertThat(sandpiper("wait", id).exitCode()).isEqualTo(3);
    assertThat(sandpiper("ps").stdout()).doesNotContain(id);
    assertThat(sandpiper("ps", "--all", "--tag", tag).stdout()).contains(id).contains("exit 3");
    assertThat(sandpiper("logs", id, "--stream", "stdout", "--tail", "1").stdout())
        .isEqualTo("hello\n");
  }

  private static void write(Path file, String text) {
    try {
      Files.writeString(file, text, StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void stopSaysHowItEndedAndKillOnlySends() {
    String id = detach("trap '' TERM; echo ready; while :; do sleep 1; done");
    Shell.run(builder(AGENT.get().port(), "logs", id), LIMIT_SECONDS);

    Shell.Result killed = sandpiper("kill", id);
    assertThat(killed.exitCode()).isZero();
    assertThat(killed.stdout()).isEmpty();

    Shell.Result stopped = sandpiper("stop", "--grace", "0s", tag);
    assertThat(stopped.stdout()).isEqualTo(tag + ": SIGKILL\n");
    assertThat(stopped.exitCode()).isZero();

    assertThat(sandpiper("wait", id).exitCode()).isEqualTo(137);
    assertThat(sandpiper("kill", id).exitCode()).isEqualTo(1);
  }

  @Test
  void theSameKeyIsTheSameProcess() {
    String key = UUID.randomUUID().toString();
    List<String> ids =
        List.of(1, 2).stream()
            .map(_ ->
                sandpiper("run", "--detach", "--key", key, "--", "echo", "once")
                    .requireSuccess()
                    .stdout())
            .toList();
    assertThat(ids.get(0)).isEqualTo(ids.get(1));
    Shell.Result other = sandpiper("run", "--detach", "--key", key, "--", "echo", "twice");
    assertThat(other.exitCode()).isEqualTo(125);
    assertThat(other.stderr()).contains(key);
  }

  @Test
  void whatIsNotThereIsSaid() {
    for (String command : List.of("logs", "attach", "kill", "stop", "wait")) {
      Shell.Result result = sandpiper(command, "no-such-process");
      assertThat(result.exitCode()).as(command).isEqualTo(1);
      assertThat(result.stderr()).as(command).contains("no-such-process");
    }
    Shell.Result nobody = Shell.run(builder(AgentProcess.freePort(), "ps"), LIMIT_SECONDS);
    assertThat(nobody.exitCode()).isEqualTo(125);
  }

  @Test
  void theWholeSandboxIsShownAlsoWhenTheAgentIsGone() {
    try (RestartedAgent agent = new RestartedAgent().start()) {
      Shell.run(
              builder(
                  agent.port(),
                  "run",
                  "--detach",
                  "--tag",
                  tag,
                  "--",
                  "sh",
                  "-c",
                  "echo a; echo b >&2; sleep 600"),
              LIMIT_SECONDS)
          .requireSuccess();
      Shell.run(builder(agent.port(), "run", "--", "echo", "other"), LIMIT_SECONDS)
          .requireSuccess();
      String asked = Shell.run(builder(agent.port(), "logs", "--format", "json"), 60).stdout();
      assertThat(asked)
          .contains("\"message\":\"a\"")
          .contains("\"message\":\"other\"")
          .contains("\"event_type\":\"process_start\"");
      agent.kill();

      String state = agent.stateDirectory().toString();
      Shell.Result left = Shell.run(builder(1, "logs", "--state-dir", state, tag), LIMIT_SECONDS);
      assertThat(left.stdout().lines()).contains("a", "b");
      assertThat(left.stdout()).doesNotContain("other");
      Shell.Result all =
          Shell.run(builder(1, "logs", "--state-dir", state, "--format", "json"), LIMIT_SECONDS);
      assertThat(all.stdout()).contains("\"message\":\"a\"").contains("\"message\":\"other\"");
      Shell.Result nothing =
          Shell.run(builder(1, "logs", "--state-dir", directory.toString()), LIMIT_SECONDS);
      assertThat(nothing.exitCode()).isEqualTo(1);
      assertThat(nothing.stderr()).contains(directory.toString());
    }
  }

  /// The reader is told nothing of it, and misses nothing.
  @Test
  void aFollowerGoesOnWhenTheAgentIsKilledAndStartedAgain() throws Exception {
    try (RestartedAgent agent = new RestartedAgent().start()) {
      String script = "for i in $(seq 1 60); do echo line $i; sleep 0.05; done";
      String id =
          Shell.run(
                  builder(agent.port(), "run", "--detach", "--", "sh", "-c", script), LIMIT_SECONDS)
              .requireSuccess()
              .stdout()
              .strip();
      Path printed = directory.resolve("printed");
      Process follower =
          builder(agent.port(), "logs", "--follow", id)
              .redirectOutput(printed.toFile())
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      org.awaitility.Awaitility.await()
          .until(() -> Files.exists(printed) && Files.readString(printed).contains("line 5\n"));
      agent.kill();
      agent.start();
      assertThat(follower.waitFor()).isZero();
      List<String> expected = new ArrayList<>();
      for (int i = 1; i <= 60; i++) {
        expected.add("line " + i);
      }
      assertThat(Files.readAllLines(printed)).isEqualTo(expected);
    }
  }
}
