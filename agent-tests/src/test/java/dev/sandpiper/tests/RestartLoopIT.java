package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Event;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Shell;
import dev.sandpiper.tests.harness.SupervisedAgent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The image's entry point: an agent that crashes comes back, one that is stopped does not.
final class RestartLoopIT {
  private static final int STOPS = Boolean.getBoolean("sandpiper.proof") ? 200 : 12;
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private static long awaitAgent(SupervisedAgent loop, long before) {
    await()
        .atMost(PATIENCE)
        .until(
            () -> loop.agent().filter(agent -> agent.pid() != before).isPresent() && loop.serves());
    return loop.agent().orElseThrow().pid();
  }

  private static long killAgent(SupervisedAgent loop) {
    ProcessHandle agent = loop.agent().orElseThrow();
    agent.destroyForcibly();
    return agent.pid();
  }

  private static void assumeShell(String shell) {
    assumeTrue(Shell.run("sh", "-c", "command -v " + shell).exitCode() == 0, shell + " is needed");
  }

  /// Prints, waits for a file, prints and ends, with an output that is known.
  private static Command waiting(SupervisedAgent loop) {
    return Command.sh("echo before; while [ ! -e go ]; do sleep 0.02; done; seq 1 20000; exit 23")
        .cwd(loop.directory());
  }

  private static String wholeOutput() {
    var text = new StringBuilder("before\n");
    for (int i = 1; i <= 20_000; i++) {
      text.append(i).append('\n');
    }
    return text.toString();
  }

  @ParameterizedTest
  @ValueSource(strings = {"dash", "bash"})
  void aKilledAgentComesBackToItsCommandsAndTheirOutputIsWhole(String shell) throws IOException {
    assumeShell(shell);
    try (SupervisedAgent loop = new SupervisedAgent(shell)) {
      long first = awaitAgent(loop, 0);
      int pid;
      try (Follower start = loop.processes().start(waiting(loop))) {
        pid = start.pid();
        start.await("stdout", "before\n");
      }
      assertThat(killAgent(loop)).isEqualTo(first);
      long second = awaitAgent(loop, first);
      killAgent(loop);
      Files.createFile(
          loop.directory().resolve("go")); // it prints and ends with no agent, or under the third
      awaitAgent(loop, second);
      try (Follower late = loop.processes().connect(pid)) {
        Event.End end = late.end();
        assertThat(end.exitCode()).as(late::toString).isEqualTo(23);
      }
      assertThat(outputOf(loop)).isEqualTo(wholeOutput());
      loop.signal("TERM");
      assertThat(loop.awaitExit()).isZero();
      assertThat(loop.stderr().lines().filter(line -> line.contains("starting it again")))
          .hasSize(2);
      assertThat(loop.records().lines()).allMatch(line -> line.startsWith("{\"@timestamp\""));
    }
  }

  /// The one process's standard output, as its log has it.
  private static String outputOf(SupervisedAgent loop) {
    var text = new StringBuilder();
    try (var files = Files.list(loop.directory().resolve("state/output"))) {
      for (Path file : files.filter(it -> it.toString().contains(".stdout.")).sorted().toList()) {
        text.append(Files.readString(file));
      }
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
    return text.toString();
  }

  @Test
  void sigtermGivesCommandsTheirTimeAndEndsTheLoopWithZero() {
    try (SupervisedAgent loop = new SupervisedAgent("sh", "--stop-grace=30s")) {
      awaitAgent(loop, 0);
      int pid;
      try (Follower start =
          loop.processes()
              .start(
                  Command.sh(
                      "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.02; done"))) {
        pid = start.pid();
        start.await("stdout", "up\n");
        loop.signal("TERM");
        assertThat(start.end().exitCode()).isEqualTo(7);
      }
      assertThat(loop.awaitExit()).isZero();
      assertThat(ProcFs.runs(pid)).isFalse();
      assertThat(loop.records()).contains("\"message\":\"bye\"", "\"event_type\":\"process_end\"");
      assertThat(loop.stderr()).doesNotContain("sandpiper-supervise");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"INT", "HUP"})
  void otherSignalsToStopDoTheSame(String signal) {
    try (SupervisedAgent loop = new SupervisedAgent("sh")) {
      awaitAgent(loop, 0);
      loop.signal(signal);
      assertThat(loop.awaitExit()).isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"dash", "bash"})
  void aSignalIsNotLostAtAnyMomentOfAStart(String shell) {
    assumeShell(shell);
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (int i = 0; i < STOPS; i++) {
      try (SupervisedAgent loop = new SupervisedAgent(shell)) {
        await().until(() -> loop.agent().isPresent()); // by then the loop has its traps
        LockSupport.parkNanos(random.nextLong(i % 2 == 0 ? 3_000_000 : 300_000_000));
        loop.signal("TERM");
        // 1: a Java runtime in the first milliseconds of its own start.
        assertThat(loop.awaitExit())
            .as("stop %d of seed %d: %s", i, seed, loop.stderr())
            .isIn(0, 1);
      }
    }
  }

  @Test
  void theFifthCrashInAMinuteIsTheLast() {
    try (SupervisedAgent loop = new SupervisedAgent("sh")) {
      long agent = 0;
      for (int crash = 1; crash <= 5; crash++) {
        awaitAgent(loop, agent);
        agent = killAgent(loop);
      }
      assertThat(loop.awaitExit()).isEqualTo(137);
      assertThat(loop.stderr())
          .containsSubsequence("starting it again", "starting it again", "starting it again")
          .contains("status 137, for the fifth time in a minute: giving up");
    }
  }

  @Test
  void aBadSettingIsNotTriedAgain() {
    try (SupervisedAgent loop = new SupervisedAgent("sh", "--stop-grace=tomorrow")) {
      assertThat(loop.awaitExit()).isEqualTo(2);
      assertThat(loop.stderr()).contains("--stop-grace").doesNotContain("again");
    }
  }

  @Test
  void anUpgradeInPlaceIsNoCrash() {
    try (SupervisedAgent loop = new SupervisedAgent("sh")) {
      long agent = awaitAgent(loop, 0);
      int pid;
      try (Follower start = loop.processes().start(waiting(loop))) {
        pid = start.pid();
        start.await("stdout", "before\n");
      }
      loop.signal("USR2");
      await().atMost(PATIENCE).until(() -> loop.records().contains("takes the place"));
      await().atMost(PATIENCE).until(loop::serves);
      assertThat(loop.agent().orElseThrow().pid()).isEqualTo(agent);
      assertThat(loop.processes().listed(pid)).isPresent();
      assertThat(loop.stderr()).doesNotContain("sandpiper-supervise");
      // A crash after it is one.
      killAgent(loop);
      awaitAgent(loop, agent);
      assertThat(loop.processes().listed(pid)).isPresent();
      loop.signal("TERM");
      assertThat(loop.awaitExit()).isZero();
    }
  }

  @Test
  void clientsRunOnceAndWithTheirOwnOutput() {
    var shown = Shell.run(SupervisedAgent.program("sandpiper-supervise").toString(), "--version");
    assertThat(shown.requireSuccess().stdout()).contains("sandpiper");
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void healthIsToldWithAndWithoutBash(boolean bash, @TempDir Path empty) {
    var sh = Shell.run("sh", "-c", "command -v sh").requireSuccess().stdout().strip();
    var program = SupervisedAgent.program("sandpiper-health").toString();
    try (AgentProcess agent = AgentProcess.start()) {
      for (int port : new int[] {agent.port(), AgentProcess.freePort()}) {
        var builder = new ProcessBuilder(sh, program, Integer.toString(port));
        if (!bash) {
          builder.environment().put("PATH", empty.toString());
        }
        var asked = Shell.run(builder, 30);
        assertThat(asked.exitCode()).as(asked::toString).isEqualTo(port == agent.port() ? 0 : 1);
        assertThat(asked.stdout()).isEmpty();
      }
    }
  }
}
