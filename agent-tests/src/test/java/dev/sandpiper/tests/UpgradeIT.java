package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.RestartedAgent;
import dev.sandpiper.tests.harness.Shell;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
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
      List<String> lines = new ArrayList<>();
      for (String record : Files.readAllLines(agent.directory().resolve("records"))) {
        if (record.contains("\"process_output\"") && record.contains("\"pid\":" + pid + ",")) {
          lines.add(record.replaceFirst(".*\"message\":\"([^\"]*)\".*", "$1"));
        }
      }
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
}
