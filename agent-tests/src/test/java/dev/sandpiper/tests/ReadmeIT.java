package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.NodePackages;
import dev.sandpiper.tests.harness.PythonPackages;
import dev.sandpiper.tests.harness.Shell;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/// Every command and program in the README does what the README says, run as it is written there; only the port is
/// another, and the build that stands before the first command was made already.
final class ReadmeIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  private static final long LIMIT_SECONDS = 120;
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();

  @TempDir Path directory;

  /// The one fenced block in that language that contains the text.
  private static String block(String language, String text) throws IOException {
    var readme = Files.readString(ROOT.resolve("README.md"));
    var blocks = Pattern.compile("```" + language + "\n(.*?)```", Pattern.DOTALL).matcher(readme);
    var found =
        blocks.results().map(match -> match.group(1)).filter(it -> it.contains(text)).toList();
    assertThat(found).as("blocks with %s", text).hasSize(1);
    return found.getFirst();
  }

  private static Shell.Result run(String script) {
    return run(script, AGENT.get());
  }

  private static Shell.Result run(String script, AgentProcess agent) {
    var image = AgentProcess.executable().toString();
    var builder =
        new ProcessBuilder(
                "sh",
                "-c",
                script
                    .replace("49983", Integer.toString(agent.port()))
                    .replace("agent/target/sandpiper/bin/sandpiper", "'" + image + "'"))
            .directory(ROOT.toFile())
            .redirectInput(new File("/dev/null"));
    builder.environment().put("SANDPIPER_PORT", Integer.toString(agent.port()));
    return Shell.run(builder, LIMIT_SECONDS);
  }

  @Test
  void firstCommandShowsAgentEventsAndRecords() throws IOException {
    var build = "mvn -q -DskipTests package && ";
    var line = block("sh", build);
    assertThat(line).startsWith(build);
    var result = run(line.substring(build.length())).requireSuccess();
    assertThat(result.stderr()).isEmpty();
    assertThat(result.stdout())
        .contains("agent   ready in ")
        .containsPattern("event   start +pid \\d+")
        .contains("event   data       stdout 8 bytes \"hello 1\\n\"")
        .contains("event   data       stderr 5 bytes \"done\\n\"")
        .contains("event   end        exit status 0")
        .contains("\"event_type\":\"process_start\"", "\"event_type\":\"process_end\"")
        .containsPattern("record  \\{.*\"event_type\":\"process_output\".*\"message\":\"hello 3\"");
  }

  @Test
  void runIsAsIfItRanHere() throws IOException {
    var result = run(block("sh", "bin/sandpiper run -- "));
    assertThat(result.stdout()).isEqualTo("to stdout\n");
    assertThat(result.stderr()).isEqualTo("to stderr\n");
    assertThat(result.exitCode()).isEqualTo(3);
  }

  @Test
  void aCommandOfItsOwnIsFoundAgainAndReadFromTheStart() throws IOException {
    var result = run(block("sh", "--detach")).requireSuccess();
    assertThat(result.stdout()).contains("COMMAND", "build").endsWith("one\ntwo\n");
  }

  @Test
  void curlLists() throws IOException {
    assertThat(run(block("sh", "Process/List")).requireSuccess().stdout()).startsWith("{");
  }

  @Test
  void curlStarts() throws IOException {
    assertThat(run(block("sh", "Process/Start")).requireSuccess().stdout())
        .containsPattern("\\{\"event\":\\{\"start\":\\{\"pid\":\\d+\\}\\}\\}")
        .contains("{\"event\":{\"data\":{\"stdout\":\"aGVsbG8K\"}}}")
        .contains("\"exitCode\":3");
  }

  @Test
  void initByCurlOpensWhatTheContainerRuns() throws IOException {
    assertThat(Files.readString(ROOT.resolve("Dockerfile"))).contains("SANDPIPER_AWAIT_INIT=true");
    try (AgentProcess agent = AgentProcess.builder().flag("--await-init", "true").start()) {
      assertThat(run(block("sh", "/init"), agent).requireSuccess().stdout())
          .isEqualTo("{\"E2B_SANDBOX\":\"false\"}\n");
    }
  }

  @Test
  void javaScriptSnippetRuns() throws IOException {
    var packages = NodePackages.installed().resolve("node_modules");
    Files.createSymbolicLink(directory.resolve("node_modules"), packages);
    var program = Files.writeString(directory.resolve("hello.mjs"), block("js", "Sandbox.create"));
    assertPrintsHello("node " + program);
  }

  @Test
  void pythonSnippetRuns() throws IOException {
    var python = PythonPackages.installed().resolve("bin/python");
    var program = Files.writeString(directory.resolve("hello.py"), block("python", "Sandbox"));
    assertPrintsHello(python + " " + program);
  }

  private static void assertPrintsHello(String command) throws IOException {
    var url = "E2B_SANDBOX_URL=http://localhost:" + AGENT.get().port();
    var result = run(url + " " + command).requireSuccess();
    Files.deleteIfExists(Path.of("/tmp/hello.txt"));
    assertThat(result.stdout().lines().map(String::strip).filter(line -> !line.isEmpty()))
        .containsExactly("live: hello", "0 hello", "hello from a file");
  }
}
