package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.tests.harness.Account;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Deadline;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Shell;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// `sandpiper run` where it stands in for the command: input, signals, pipelines, and agents of its own.
@Timeout(120)
final class RunCommandIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  @TempDir Path directory;

  /// A shell that started the tests in the background made them ignore SIGINT, `nohup` SIGHUP; whoever starts the program
  /// by hand does not.
  private static List<String> line(String... arguments) {
    var line = new ArrayList<>(List.of("/usr/bin/env", "--default-signal=INT,HUP"));
    line.add(AgentProcess.executable().toString());
    line.addAll(Arrays.asList(arguments));
    return line;
  }

  /// `run` on the agent of this class.
  private static List<String> run(String... arguments) {
    var line = line("run", "--port=" + AGENT.get().port());
    line.addAll(Arrays.asList(arguments));
    return line;
  }

  private static Shell.Result finish(List<String> line) {
    return finish(line, new File("/dev/null"));
  }

  private static Shell.Result finish(List<String> line, File input) {
    return Shell.run(new ProcessBuilder(line).redirectInput(input), Deadline.PATIENCE.toSeconds());
  }

  /// Waits until the file holds the text: the command is as far as that.
  private static void awaitText(Path file, String text) {
    await()
        .atMost(Deadline.PATIENCE)
        .until(() -> Files.exists(file) && Files.readString(file).contains(text));
  }

  private static int exitOf(Process process) throws InterruptedException {
    assertThat(process.waitFor(Deadline.PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
    return process.exitValue();
  }

  @Test
  void fileAsInputReachesTheCommandWhole() throws Exception {
    var bytes = new byte[1 << 20];
    new Random(2).nextBytes(bytes);
    var file = Files.write(directory.resolve("input"), bytes);
    var copy = directory.resolve("copy");
    // The command reads late, so that input waits for it.
    var script = "while [ ! -e go ]; do sleep 0.05; done; cat > " + copy;
    var process =
        new ProcessBuilder(run("--cwd=" + directory, "sh", "-c", script))
            .redirectInput(file.toFile())
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(directory.resolve("err").toFile())
            .start();
    Files.createFile(directory.resolve("go"));
    assertThat(exitOf(process)).isZero();
    assertThat(copy).hasBinaryContent(bytes);
  }

  @Test
  void commandThatReadsNothingEndsAllTheSame() throws Exception {
    var file = Files.write(directory.resolve("input"), new byte[1 << 20]);
    assertThat(finish(run("true"), file.toFile()).exitCode()).isZero();
  }

  @Test
  void withoutInputTheCommandReadsEndOfFile() {
    var result = finish(run("sh", "-c", "cat; echo end"));
    assertThat(result.stdout()).isEqualTo("end\n");
  }

  @Test
  void environmentDirectoryAndArgumentsArrive() {
    var result =
        finish(
            run(
                "--env=A=b c",
                "--cwd",
                directory.toString(),
                "--",
                "sh",
                "-c",
                "echo \"$A|$PWD|$1|$2|$#\"",
                "sh",
                "x  y",
                "--port"));
    assertThat(result.stdout()).isEqualTo("b c|" + directory + "|x  y|--port|2\n");
  }

  @Test
  void runsAsAnotherUser() {
    try (var account = new Account()) {
      var result = finish(run("--user=" + account.name(), "sh", "-c", "id -un; echo $HOME"));
      assertThat(result.stdout()).isEqualTo(account.name() + "\n" + account.home() + "\n");
    }
  }

  @ParameterizedTest(name = "{0} gives {1}")
  @CsvSource({"KILL, 137", "TERM, 143", "SEGV, 139", "USR1, 138"})
  void commandThatASignalEndsGivesTheShellsCode(String signal, int code) {
    assertThat(finish(run("sh", "-c", "kill -" + signal + " $$")).exitCode()).isEqualTo(code);
  }

  @Test
  void timeLimitKillsTheCommand() {
    var result = finish(run("--timeout=200ms", "sleep", "300"));
    assertThat(result.exitCode()).isEqualTo(124);
    assertThat(result.stderr()).contains("time limit");
  }

  @ParameterizedTest
  @ValueSource(strings = {"TERM", "INT", "HUP"})
  void signalsReachTheCommand(String signal) throws Exception {
    var out = directory.resolve("out");
    // An agent that knows SIGTERM and SIGKILL only sends SIGTERM for the others.
    var script =
        "trap 'echo got it; exit 9' TERM INT HUP; echo ready; while :; do sleep 0.05; done";
    var process =
        new ProcessBuilder(run("sh", "-c", script))
            .redirectInput(new File("/dev/null"))
            .redirectOutput(out.toFile())
            .redirectError(directory.resolve("err").toFile())
            .start();
    awaitText(out, "ready");
    Shell.run("kill", "-" + signal, Long.toString(process.pid())).requireSuccess();
    assertThat(exitOf(process)).isEqualTo(9);
    assertThat(out).hasContent("ready\ngot it\n");
  }

  @Test
  void readerThatLeavesEndsTheCommand() {
    var command = String.join(" ", run("yes")) + " | head -n 2; echo ${PIPESTATUS[0]}";
    var result = Shell.run("bash", "-c", command);
    assertThat(result.stdout()).isEqualTo("y\ny\n141\n");
    assertThat(result.stderr()).isEmpty();
  }

  /// Where agents that `run` starts put what they need.
  private Path temporary() {
    return directory.resolve("tmp");
  }

  /// In the environment of every process of such a run.
  private String mark() {
    return "TMPDIR=" + temporary();
  }

  private List<String> onOwnAgent(String... arguments) throws IOException {
    Files.createDirectories(temporary());
    // No agent answers on that port, so one is started.
    var line = new ArrayList<>(List.of("env", mark(), "SANDPIPER_PORT=" + AgentProcess.freePort()));
    line.addAll(line("run"));
    line.addAll(Arrays.asList(arguments));
    return line;
  }

  @Test
  void startsAnAgentWhereNoneRunsAndLeavesNothingBehind() throws Exception {
    var builder = new ProcessBuilder(onOwnAgent("sh", "-c", "echo out; echo err >&2; exit 7"));
    builder.environment().put("JAVA_TOOL_OPTIONS", "-Djava.io.tmpdir=/nonexistent"); // ignored
    builder.redirectInput(new File("/dev/null"));
    var result = Shell.run(builder, Deadline.PATIENCE.toSeconds());
    assertThat(result.exitCode()).isEqualTo(7);
    assertThat(result.stdout()).isEqualTo("out\n");
    assertThat(result.stderr()).isEqualTo("err\n");
    assertNothingIsLeft();
  }

  private void assertNothingIsLeft() throws IOException {
    await()
        .atMost(Deadline.PATIENCE)
        .until(() -> ProcFs.withEnvironmentContaining(mark()).isEmpty());
    try (var left = Files.list(temporary())) {
      assertThat(left).isEmpty();
    }
  }

  @Test
  void showsEventsAndRecordsInOneGo() throws Exception {
    var result =
        finish(onOwnAgent("--events", "--records", "sh", "-c", "echo hello; echo oops >&2"));
    assertThat(result.exitCode()).isZero();
    assertThat(result.stderr()).isEmpty();
    var lines =
        result.stdout().lines().map(line -> line.replaceFirst("^ *[0-9.]+ s  ", "")).toList();
    assertThat(lines.getFirst()).startsWith("agent   starting ");
    assertThat(lines.getLast()).isEqualTo("agent   stopped");
    assertThat(lines)
        .anyMatch(line -> line.matches("agent   ready in \\d+ ms at http://127.*"))
        .anyMatch(line -> line.matches("event   start      pid \\d+"))
        .contains("event   data       stdout 6 bytes \"hello\\n\"")
        .contains("event   data       stderr 5 bytes \"oops\\n\"")
        .contains("event   end        exit status 0")
        .anyMatch(line -> line.startsWith("record  {") && line.contains("\"process_start\""))
        .anyMatch(line -> line.contains("\"process_output\"") && line.contains("\"hello\""))
        .anyMatch(line -> line.contains("\"process_output\"") && line.contains("\"oops\""))
        .anyMatch(line -> line.startsWith("record  {") && line.contains("\"process_end\""));
    assertNothingIsLeft();
  }

  /// Ctrl-C goes to every process of the terminal's foreground group, the agent that was started here among them.
  @Test
  void interruptOfTheWholeGroupLetsTheCommandFinishOnItsOwnAgent() throws Exception {
    var out = directory.resolve("out");
    var script =
        "trap 'sleep 0.2; echo cleaned up; exit 9' TERM INT; echo ready; while :; do sleep 0.05; done";
    var line = new ArrayList<>(List.of("setsid"));
    line.addAll(onOwnAgent("sh", "-c", script));
    var process =
        new ProcessBuilder(line)
            .redirectInput(new File("/dev/null"))
            .redirectOutput(out.toFile())
            .redirectError(directory.resolve("err").toFile())
            .start();
    awaitText(out, "ready");
    // setsid made it the leader of a group of its own.
    Shell.run("kill", "-INT", "--", "-" + process.pid()).requireSuccess();
    assertThat(exitOf(process)).isEqualTo(9);
    assertThat(out).hasContent("ready\ncleaned up\n");
    assertNothingIsLeft();
  }

  /// Types into `run --pty` as a person at a terminal of 77 columns and 33 rows that is made larger meanwhile.
  private static final String TYPIST =
      """
      import fcntl, os, pty, struct, sys, termios
      def size(rows, columns):
          fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
      def wait(text):
          global seen
          while text not in seen:
              seen += os.read(terminal, 4096)
          seen = seen[seen.index(text) + len(text):]
      def type(text):
          os.write(terminal, text)
      seen = b""
      pid, terminal = pty.fork()
      if pid == 0:
          os.read(0, 1)
          os.execv(sys.argv[1], sys.argv[1:])
      size(33, 77)
      type(b"\\n")
      wait(b"ready ")
      type(b"stty size; echo $TERM-\\r")
      wait(b"33 77")
      wait(b"a-kind-")
      size(44, 99)
      type(b"until stty size | grep 99; do sleep 0.05; done\\r")
      wait(b"44 99")
      type(b"echo be''gun; sleep 100\\r")
      wait(b"begun")
      type(b"\\x03")
      wait(b"ready ")
      type(b"exit 5\\r")
      _, status = os.waitpid(pid, 0)
      sys.exit(os.waitstatus_to_exitcode(status))
      """;

  @Test
  void terminalOfTheCommandIsTheOneInFront() {
    var line = new ArrayList<>(List.of("python3", "-c", TYPIST));
    line.addAll(run("--pty", "--env", "PS1=ready ", "--env", "TERM=a-kind", "--", "sh"));
    var result = finish(line);
    assertThat(result.stderr()).isEmpty();
    assertThat(result.exitCode()).isEqualTo(5);
  }

  @Test
  void outputIsLiveAndNotHeldUntilTheEnd() throws Exception {
    var process =
        new ProcessBuilder(run("sh", "-c", "echo first; read -r line; echo \"then $line\""))
            .redirectError(directory.resolve("err").toFile())
            .start();
    try (var lines = process.inputReader(StandardCharsets.UTF_8);
        var input = process.outputWriter(StandardCharsets.UTF_8)) {
      assertThat(lines.readLine()).isEqualTo("first");
      input.write("second\n");
      input.flush();
      assertThat(lines.readLine()).isEqualTo("then second");
    }
    assertThat(exitOf(process)).isZero();
  }
}
