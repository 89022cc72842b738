package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.RestartedAgent;
import dev.sandpiper.tests.harness.Shell;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/// The image on the disk takes the agent's place, in the same process.
final class UpgradeIT {
  private static final boolean PROOF = Boolean.getBoolean("sandpiper.proof");
  private static final int ROUNDS = PROOF ? 10 : 2;

  /// Fewer than records are made of for one command; printed for longer than the upgrades take.
  private static final int LINES = PROOF ? 9_000 : 3_000;

  /// `sandpiper upgrade`: its exit code and what it said.
  private record Upgraded(int exitCode, String said) {}

  private static Upgraded upgrade(RestartedAgent agent) {
    Shell.Result result =
        Shell.run(
            AgentProcess.executable().toString(),
            "upgrade",
            "--state-dir",
            agent.stateDirectory().toString());
    return new Upgraded(result.exitCode(), (result.stdout() + result.stderr()).strip());
  }

  /// Opens a connection every millisecond and asks each for its health.
  private static final class Visitor implements Runnable {
    private final int port;
    private final AtomicBoolean over = new AtomicBoolean();
    private final AtomicInteger opened = new AtomicInteger();
    private final AtomicInteger refused = new AtomicInteger();
    private final AtomicInteger answered = new AtomicInteger();
    private final AtomicInteger cut = new AtomicInteger();
    private final AtomicLong longestNanos = new AtomicLong();

    Visitor(int port) {
      this.port = port;
    }

    @Override
    public void run() {
      byte[] request =
          "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
              .getBytes(StandardCharsets.US_ASCII);
      InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
      try (var visits = Executors.newVirtualThreadPerTaskExecutor()) {
        long next = System.nanoTime();
        while (!over.get()) {
          visits.execute(() -> visit(address, request));
          next += 1_000_000;
          LockSupport.parkNanos(next - System.nanoTime());
        }
      }
    }

    private void visit(InetSocketAddress address, byte[] request) {
      long started = System.nanoTime();
      try (Socket socket = new Socket()) {
        socket.connect(address, 10_000);
        opened.incrementAndGet();
        socket.setSoTimeout(20_000);
        socket.getOutputStream().write(request);
        byte[] answer = socket.getInputStream().readAllBytes();
        if (new String(answer, StandardCharsets.US_ASCII).startsWith("HTTP/1.1 204")) {
          answered.incrementAndGet();
          long took = System.nanoTime() - started;
          longestNanos.accumulateAndGet(took, Math::max);
        } else {
          cut.incrementAndGet();
        }
      } catch (ConnectException refusal) {
        refused.incrementAndGet();
      } catch (IOException broken) {
        cut.incrementAndGet(); // accepted by the old agent, which ended before it was answered
      }
    }
  }

  @Test
  void nobodyIsRefusedAndNothingIsLostThroughUpgrades() throws Exception {
    try (RestartedAgent agent = new RestartedAgent().start()) {
      int pid;
      String script =
          "i=0; while [ $i -lt %d ]; do i=$((i+1)); echo line $i; [ $((i %% 100)) = 0 ] && sleep 0.05; done; echo end; until [ -e stop ]; do sleep 0.05; done; exit 7"
              .formatted(LINES);
      try (Follower start =
          agent.processes().start(Command.of("sh", "-c", script).cwd(agent.directory()))) {
        pid = start.pid();
      }
      int shell;
      try (Follower start =
          agent.processes().start(Command.of("sh").pty(80, 24).env("PS1", "ready> "))) {
        shell = start.pid();
        start.await("pty", "ready> ");
      }
      Visitor visitor = new Visitor(agent.port());
      Thread visiting = Thread.ofPlatform().start(visitor);
      int descriptors = 0;
      for (int round = 0; round < ROUNDS; round++) {
        Upgraded upgraded = upgrade(agent);
        assertThat(upgraded.said()).startsWith("sandpiper ").contains("took the place of");
        assertThat(upgraded.exitCode()).isZero();
        try (Follower terminal = agent.processes().connect(shell)) {
          assertThat(terminal.pid()).isEqualTo(shell);
          agent.processes().sendPty(shell, "echo round-$((" + round + "+0)).\n");
          terminal.await("pty", "round-" + round + ".");
        }
        if (round == 0) {
          descriptors = ProcFs.descriptors(agent.pid()).size();
        }
      }
      visitor.over.set(true);
      visiting.join();
      Files.createFile(agent.directory().resolve("stop"));
      Measured.print(
          "%d upgrades: %d connections, %d refused, %d answered, %d cut off; longest answer %.0f ms",
          ROUNDS,
          visitor.opened.get(),
          visitor.refused.get(),
          visitor.answered.get(),
          visitor.cut.get(),
          visitor.longestNanos.get() / 1e6);
      assertThat(visitor.refused).hasValue(0);
      assertThat(visitor.opened.get()).isGreaterThan(ROUNDS * 50);
      int before = descriptors;
      await()
          .untilAsserted(() ->
              assertThat(ProcFs.descriptors(agent.pid()).size())
                  .as("descriptors, after the first upgrade %d", before)
                  .isLessThanOrEqualTo(before + 8)); // prepared FIFOs come and go

      // The leader is still this process's child, so its exit code is known.
      try (Follower follower = agent.processes().connect(pid)) {
        assertThat(follower.end().exitCode()).isEqualTo(7);
      }
      List<String> lines = outputOf(agent, pid);
      List<String> expected = new ArrayList<>();
      for (int i = 1; i <= LINES; i++) {
        expected.add("line " + i);
      }
      expected.add("end");
      assertThat(lines).isEqualTo(expected);
      agent.processes().sendPty(shell, "exit 3\n");
      try (Follower follower = agent.processes().connect(shell)) {
        assertThat(follower.end().exitCode()).isEqualTo(3);
      }
    }
  }

  /// An image like the one under test, whose launcher can be spoilt; `serve` runs from there.
  private static Path copyOfTheImage(RestartedAgent agent) throws IOException {
    Path image = AgentProcess.executable().resolve("../..").normalize();
    Path copy = agent.directory().resolve("image");
    Files.createDirectories(copy.resolve("bin"));
    for (String part : List.of("lib", "runtime")) {
      Files.createSymbolicLink(copy.resolve(part), image.resolve(part));
    }
    Path launcher = copy.resolve("bin/sandpiper");
    Files.copy(AgentProcess.executable(), launcher, StandardCopyOption.COPY_ATTRIBUTES);
    agent.via("sh", "-c", "shift; exec '" + launcher + "' \"$@\"", "sh");
    return launcher;
  }

  @Test
  void whenTheSuccessorCannotBeExecutedTheOldAgentGoesOnAndNothingIsLost() throws Exception {
    try (RestartedAgent agent = new RestartedAgent()) {
      Path launcher = copyOfTheImage(agent);
      agent.start();
      assertThat(init(agent, "{\"accessToken\":\"t\"}")).isEqualTo(204);
      int pid;
      try (Follower start =
          agent
              .processes()
              .start(
                  Command.sh(
                          "i=0; until [ -e stop ]; do i=$((i+1)); echo line $i; sleep 0.01; done; echo end; exit 7")
                      .cwd(agent.directory())
                      .header("X-Access-Token", "t"))) {
        pid = start.pid();
        start.await("stdout", "line 3\n");
      }
      String id = ids(agent).getFirst();
      byte[] good = Files.readAllBytes(launcher);
      Files.writeString(launcher, "#!/no/such/interpreter\n");

      Upgraded refused = upgrade(agent);

      assertThat(refused.exitCode()).isEqualTo(1);
      assertThat(refused.said())
          .contains("not replaced, the agent goes on: " + launcher)
          .contains("ENOENT");
      assertThat(list(agent, "")).isEqualTo(401);
      assertThat(ids(agent)).containsExactly(id);

      // What has been in vain once can be done again.
      Files.write(launcher, good);
      Upgraded upgraded = upgrade(agent);
      assertThat(upgraded.said()).contains("took the place of");
      assertThat(upgraded.exitCode()).isZero();

      Files.createFile(agent.directory().resolve("stop"));
      try (Follower follower =
          agent.processes().connect(Processes.pid(pid), Map.of("X-Access-Token", "t"))) {
        assertThat(follower.end().exitCode()).isEqualTo(7);
      }
      // Clients are told of the end before the last records are written.
      await().untilAsserted(() -> assertThat(outputOf(agent, pid)).endsWith("end"));
      List<String> lines = outputOf(agent, pid);
      assertThat(lines).hasSizeGreaterThan(3);
      for (int i = 1; i < lines.size(); i++) {
        assertThat(lines.get(i - 1)).isEqualTo("line " + i);
      }
    }
  }

  @Test
  void whatInitHasSetIsThereAfterAnUpgrade() throws Exception {
    try (RestartedAgent agent = new RestartedAgent().start()) {
      assertThat(list(agent, "")).isEqualTo(200);
      assertThat(init(agent, "{\"accessToken\":\"secret-1\",\"envVars\":{\"FROM_INIT\":\"yes\"}}"))
          .isEqualTo(204);
      for (int round = 0; round < 2; round++) {
        assertThat(upgrade(agent).exitCode()).isZero();
        assertThat(list(agent, "")).isEqualTo(401);
        assertThat(list(agent, "wrong")).isEqualTo(401);
        assertThat(list(agent, "secret-1")).isEqualTo(200);
        assertThat(init(agent, "{\"accessToken\":\"secret-2\"}")).isEqualTo(401);
      }
      try (Follower follower =
          agent
              .processes()
              .run(Command.sh("echo $FROM_INIT").header("X-Access-Token", "secret-1"))) {
        follower.end();
        assertThat(follower.stdout()).isEqualTo("yes\n");
      }
      byte[] environment = Files.readAllBytes(Path.of("/proc/" + agent.pid() + "/environ"));
      assertThat(new String(environment, StandardCharsets.ISO_8859_1)).doesNotContain("secret-1");
    }
  }

  private static int init(RestartedAgent agent, String body) {
    return post(agent, "/init", body, "").status();
  }

  /// The status of a question that only a caller with the token may ask.
  private static int list(RestartedAgent agent, String token) {
    return post(agent, "/process.Process/List", "{}", token).status();
  }

  private static List<String> ids(RestartedAgent agent) {
    try (HttpConnection connection = HttpConnection.to(agent.port())) {
      String text =
          connection.send("GET", "/v1/process", Map.of("X-Access-Token", "t")).reply().text();
      return Pattern.compile("\"id\":\"([^\"]+)\"")
          .matcher(text)
          .results()
          .map(match -> match.group(1))
          .toList();
    }
  }

  private static HttpConnection.Reply post(
      RestartedAgent agent, String path, String body, String token) {
    Map<String, String> headers = new HashMap<>(Map.of("Content-Type", "application/json"));
    if (!token.isEmpty()) {
      headers.put("X-Access-Token", token);
    }
    try (HttpConnection connection = HttpConnection.to(agent.port())) {
      return connection.send("POST", path, headers, body.getBytes(StandardCharsets.UTF_8)).reply();
    }
  }

  private static List<String> outputOf(RestartedAgent agent, int pid) throws IOException {
    List<String> lines = new ArrayList<>();
    for (String record : Files.readAllLines(agent.directory().resolve("records"))) {
      if (record.contains("\"process_output\"") && record.contains("\"pid\":" + pid + ",")) {
        lines.add(record.replaceFirst(".*\"message\":\"([^\"]*)\".*", "$1"));
      }
    }
    return lines;
  }
}
