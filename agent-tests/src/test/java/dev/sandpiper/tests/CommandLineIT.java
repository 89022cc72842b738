package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Shell;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// `sandpiper` as it is typed; what `run` does beyond exit codes and errors is in [RunCommandIT].
final class CommandLineIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  private static final long LIMIT_SECONDS = 60;

  @TempDir Path directory;

  private ProcessBuilder sandpiper(String... arguments) {
    List<String> command = new ArrayList<>(List.of(AgentProcess.executable().toString()));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command).directory(directory.toFile());
    builder.environment().keySet().removeIf(name -> name.startsWith("SANDPIPER_"));
    builder.redirectInput(Path.of("/dev/null").toFile());
    return builder;
  }

  private Shell.Result run(String... command) {
    return Shell.run(runBuilder(command), LIMIT_SECONDS);
  }

  private ProcessBuilder runBuilder(String... command) {
    List<String> arguments =
        new ArrayList<>(List.of("run", "--port", Integer.toString(AGENT.get().port()), "--"));
    arguments.addAll(List.of(command));
    return sandpiper(arguments.toArray(String[]::new));
  }

  @Test
  void runIsTheCommandsOutputAndExitCode() {
    Shell.Result result = run("sh", "-c", "printf 'a\\tb'; printf 'wrong\\n' >&2; exit 42");

    assertThat(result.stdout()).isEqualTo("a\tb");
    assertThat(result.stderr()).isEqualTo("wrong\n");
    assertThat(result.exitCode()).isEqualTo(42);
  }

  @ParameterizedTest(name = "{0} exits {1}")
  @CsvSource({
    "exit 0, 0",
    "exit 1, 1",
    "exit 255, 255",
    "exit 137, 137",
    "kill -KILL $$, 137",
    "kill -TERM $$, 143",
    "kill -INT $$, 130"
  })
  void exitCodesAreAShells(String script, int expected) {
    assertThat(run("sh", "-c", script).exitCode()).isEqualTo(expected);
  }

  @Test
  void aCommandThatCannotRunIs127Or126AndSaysWhy() throws IOException {
    Shell.Result missing = run("no-such-command-here");
    assertThat(missing.exitCode()).isEqualTo(127);
    assertThat(missing.stderr()).contains("no-such-command-here");
    Path plain = Files.writeString(directory.resolve("plain"), "text");
    Shell.Result notExecutable = run(plain.toString());
    assertThat(notExecutable.exitCode()).isEqualTo(126);
    assertThat(notExecutable.stderr()).contains(plain.toString());
  }

  @Test
  void everyByteAndMuchOfItPassesThrough() throws IOException {
    Path out = directory.resolve("out");
    ProcessBuilder builder =
        runBuilder(
            "python3", "-c", "import os\nfor _ in range(512): os.write(1, bytes(range(256)) * 64)");
    Process process = builder.redirectOutput(out.toFile()).start();
    awaitEnd(process);
    byte[] bytes = Files.readAllBytes(out);
    assertThat(bytes).hasSize(8 << 20);
    for (int i = 0; i < bytes.length; i++) {
      if (bytes[i] != (byte) i) {
        throw new AssertionError("byte " + i + " is " + bytes[i]);
      }
    }
  }

  private static void awaitEnd(Process process) {
    try {
      if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new AssertionError("not finished in " + LIMIT_SECONDS + " s");
      }
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void anAgentThatIsNotThereIsAClearError() {
    String port = Integer.toString(AgentProcess.freePort());
    Shell.Result result = Shell.run(sandpiper("run", "--port", port, "--", "true"), LIMIT_SECONDS);
    assertThat(result.exitCode()).isEqualTo(125);
    assertThat(result.stderr()).contains(port);
  }

  @Test
  void helpIsThereForEveryCommandAndNamesEverySetting() {
    for (String[] arguments : new String[][] {{"--help"}, {"serve", "--help"}, {"run", "--help"}}) {
      Shell.Result result = Shell.run(sandpiper(arguments), LIMIT_SECONDS).requireSuccess();
      assertThat(help(result)).contains("sandpiper").contains("--help");
    }
    assertThat(help(Shell.run(sandpiper("serve", "--help"), LIMIT_SECONDS)))
        .contains(
            "--port",
            "SANDPIPER_PORT",
            "--listen",
            "SANDPIPER_LISTEN",
            "--state-dir",
            "SANDPIPER_STATE_DIR",
            "--default-user");
  }

  /// Help of `serve` may be on standard error, as its standard output carries nothing but records.
  private static String help(Shell.Result result) {
    assertThat(result.stdout().isEmpty() || result.stderr().isEmpty()).isTrue();
    return result.stdout() + result.stderr();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--port=70000",
        "--port=abc",
        "--port=",
        "--stall-limit=never",
        "--output-retention=-1"
      })
  void aBadValueStopsTheStartAndNamesTheSetting(String flag) {
    Shell.Result result = Shell.run(sandpiper("serve", flag), LIMIT_SECONDS);
    assertThat(result.exitCode()).isNotZero();
    assertThat(result.stderr()).contains(flag.substring(0, flag.indexOf('=')));
    assertThat(result.stdout()).isEmpty();
  }

  @Test
  void aBadVariableStopsTheStartAndIsNamed() {
    ProcessBuilder builder = sandpiper("serve");
    builder.environment().put("SANDPIPER_PORT", "many");
    Shell.Result result = Shell.run(builder, LIMIT_SECONDS);
    assertThat(result.exitCode()).isNotZero();
    assertThat(result.stderr()).contains("SANDPIPER_PORT").contains("many");
  }

  @Test
  void anUnknownOptionOrCommandIsRefused() {
    for (String[] arguments : new String[][] {{"serve", "--no-such"}, {"dance"}, {}}) {
      Shell.Result result = Shell.run(sandpiper(arguments), LIMIT_SECONDS);
      assertThat(result.exitCode()).isNotZero();
      assertThat(result.stderr()).isNotEmpty();
      assertThat(result.stdout()).isEmpty();
    }
  }

  @Test
  void anUnknownVariableIsWarnedOf() {
    try (AgentProcess agent = AgentProcess.builder().environment("SANDPIPER_PROT", "1").start()) {
      await("a warning")
          .until(() ->
              agent.stderr().contains("SANDPIPER_PROT")
                  || agent.records().all().stream()
                      .anyMatch(it -> it.toString().contains("SANDPIPER_PROT")));
    }
  }

  @Test
  void settingsComeFromTheEnvironmentAndTheFlagWins() {
    int wrong = AgentProcess.freePort();
    try (AgentProcess agent =
        AgentProcess.builder()
            .environment("SANDPIPER_PORT", Integer.toString(wrong))
            .environment("SANDPIPER_DRAIN_LIMIT", "100ms")
            .start()) {
      assertThat(agent.http().send("GET", "/health", Map.of()).reply().status()).isEqualTo(204);
    }
  }

  @Test
  void aSecondAgentOnTheSameStateDirectoryIsRefusedByName() {
    AgentProcess agent = AGENT.get();
    Shell.Result result =
        Shell.run(
            sandpiper(
                "serve",
                "--port",
                Integer.toString(AgentProcess.freePort()),
                "--state-dir",
                agent.stateDirectory().toString()),
            LIMIT_SECONDS);
    assertThat(result.exitCode()).isNotZero();
    assertThat(result.stderr()).contains(agent.stateDirectory().toString());
  }

  @Test
  void aPortThatIsTakenIsNamed() {
    int port = AGENT.get().port();
    Shell.Result result =
        Shell.run(
            sandpiper(
                "serve",
                "--listen",
                "127.0.0.1",
                "--port",
                Integer.toString(port),
                "--state-dir",
                directory.resolve("state").toString()),
            LIMIT_SECONDS);
    assertThat(result.exitCode()).isNotZero();
    assertThat(result.stderr()).contains(Integer.toString(port));
  }

  @Test
  void terminateStopsTheAgentAndItsCommands() throws IOException {
    Path started = directory.resolve("started");
    try (AgentProcess agent = AgentProcess.builder().flag("--stop-grace", "1s").start()) {
      var run = agent.json().start(Command.sh("trap '' TERM; touch " + started + "; sleep 600"));
      int pid = run.pid();
      await().until(() -> Files.exists(started));
      agent.signal("TERM");
      agent.awaitExit();
      await("the command is gone").until(() -> !ProcFs.exists(pid));
      run.close();
    }
  }

  @Test
  void theVersionIsPrinted() {
    assertThat(Shell.run(sandpiper("--version"), LIMIT_SECONDS).requireSuccess().stdout())
        .matches("sandpiper \\S+ \\(Java 25\\S*, (amd64|aarch64)\\)\n");
  }

  /// `run` tells a server that is no agent from an agent.
  @Test
  void whatAnswersButIsNoAgentIsNotUsed() {
    try (var server = new java.net.ServerSocket(0, 1, java.net.InetAddress.getLoopbackAddress())) {
      Thread.ofVirtual()
          .start(() -> {
            try (var socket = server.accept()) {
              socket
                  .getOutputStream()
                  .write(
                      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                          .getBytes(StandardCharsets.US_ASCII));
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
          });
      ProcessBuilder builder = sandpiper("run", "--", "true");
      builder.environment().put("SANDPIPER_PORT", Integer.toString(server.getLocalPort()));
      Shell.Result result = Shell.run(builder, LIMIT_SECONDS);
      assertThat(result.exitCode()).isEqualTo(125);
      assertThat(result.stderr()).contains(Integer.toString(server.getLocalPort()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
