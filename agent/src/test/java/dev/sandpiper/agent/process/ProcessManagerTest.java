package dev.sandpiper.agent.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.launch.Exit;
import dev.sandpiper.agent.launch.Stdio;
import dev.sandpiper.agent.output.StreamName;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestReporter;
import org.junit.jupiter.api.io.TempDir;

class ProcessManagerTest {
  @TempDir Path directory;
  private final List<String> told = new CopyOnWriteArrayList<>();
  private ProcessFixture fixture;

  @BeforeEach
  void start() throws Exception {
    fixture =
        new ProcessFixture(
            directory,
            ProcessFixture.settings(),
            new ProcessListener() {
              @Override
              public void onStarted(ManagedProcess process) {
                told.add("start " + process.pid());
              }

              @Override
              public void onEnded(ManagedProcess process, ProcessEnd end) {
                told.add("end " + process.pid());
              }
            });
  }

  @AfterEach
  void stop() throws Exception {
    fixture.stop();
  }

  @Test
  void outputComesBeforeTheEnd() throws Exception {
    ManagedProcess process = fixture.shell("echo out; echo err >&2; exit 3");

    assertThat(ProcessFixture.readToEnd(process))
        .isEqualTo(Map.of(StreamName.STDOUT, "out\n", StreamName.STDERR, "err\n"));
    assertThat(process.end())
        .returns(new Exit.Exited(3), ProcessEnd::exit)
        .returns(EndCause.EXIT, ProcessEnd::cause)
        .returns(4L, ProcessEnd::stdoutBytes)
        .returns(4L, ProcessEnd::stderrBytes);
    await()
        .untilAsserted(() ->
            assertThat(told).containsExactly("start " + process.pid(), "end " + process.pid()));
  }

  @Test
  void whoHasSeenTheEndDoesNotFindTheProcessAmongTheLiveOnes() throws Exception {
    for (int i = 0; i < 200; i++) {
      ManagedProcess process = fixture.shell("exit 0");
      ProcessFixture.readToEnd(process);
      assertThat(fixture.processes.find(new Selector.ByPid(process.pid()))).isEmpty();
      assertThat(fixture.processes.findEnded(new Selector.ByPid(process.pid()))).isPresent();
    }
  }

  @Test
  void aBackgroundChildDelaysTheEndByNoMoreThanTheDrainLimit(TestReporter reporter)
      throws Exception {
    Path done = directory.resolve("done");
    ManagedProcess process =
        fixture.shell("(sleep 0.2; echo late; sleep 60; touch " + done + ") & echo early");
    long begun = System.nanoTime();

    assertThat(ProcessFixture.readToEnd(process))
        .isEqualTo(Map.of(StreamName.STDOUT, "early\nlate\n"));
    reporter.publishEntry(
        "ms from start to end", String.valueOf((System.nanoTime() - begun) / 1_000_000));
    assertThat(done).doesNotExist();
    killGroup(process.pid());
  }

  @Test
  void aTimeLimitKillsTheWholeGroupAndIsTheCause() throws Exception {
    ManagedProcess process =
        fixture.start(
            ProcessFixture.spec(
                "sleep 60 & sleep 60",
                new Stdio.Pipes(false),
                Optional.empty(),
                Optional.of(Duration.ofMillis(100))));

    assertThat(ProcessFixture.endOf(process))
        .returns(new Exit.Signaled(9, false), ProcessEnd::exit)
        .returns(EndCause.TIME_LIMIT, ProcessEnd::cause);
    assertThat(process.log().drained()).as("nobody is left to hold the streams").isTrue();
  }

  @Test
  void aSignalReachesTheWholeGroupAndTheUnreadTailIsKept() throws Exception {
    ManagedProcess process =
        fixture.shell("sleep 60 & head -c 200000 /dev/zero | tr '\\0' x; echo; kill -STOP $$");
    await()
        .atMost(ProcessFixture.PATIENCE)
        .until(
            () -> Files.readString(Path.of("/proc/" + process.pid() + "/stat")).contains(") T "));

    assertThat(process.signal(9)).isEmpty();

    assertThat(ProcessFixture.readToEnd(process).get(StreamName.STDOUT)).hasSize(200_001);
    assertThat(process.end()).returns(EndCause.SIGNAL, ProcessEnd::cause);
    assertThat(process.log().drained()).isTrue();
  }

  @Test
  void tagsAreFoundAmongProcessesWithOtherTags() throws Exception {
    List<ManagedProcess> started = new ArrayList<>();
    for (String tag : List.of("a", "b", "c", "b")) {
      started.add(
          fixture.start(
              ProcessFixture.spec(
                  "sleep 60", new Stdio.Pipes(false), Optional.of(tag), Optional.empty())));
    }

    assertThat(fixture.processes.find(new Selector.ByTag("c"))).contains(started.get(2));
    assertThat(fixture.processes.find(new Selector.ByTag("b")))
        .as("the one started last")
        .contains(started.get(3));
    assertThat(fixture.processes.find(new Selector.ByTag("d"))).isEmpty();
  }

  @Test
  void inputIsTakenInOrderAndClosedBehindIt() throws Exception {
    ManagedProcess process = fixture.shell("cat");
    BlockingQueue<InputOutcome> outcomes = new ArrayBlockingQueue<>(100);
    StringBuilder expected = new StringBuilder();
    for (int i = 0; i < 20; i++) {
      String piece = ("piece " + i + " ").repeat(1_000);
      expected.append(piece);
      process.write(piece.getBytes(StandardCharsets.UTF_8), outcomes::add);
    }
    process.closeInput();

    assertThat(expected.toString().equals(ProcessFixture.readToEnd(process).get(StreamName.STDOUT)))
        .as("what came out is what went in")
        .isTrue();
    assertThat(outcomes).hasSize(20).hasOnlyElementsOfType(InputOutcome.Accepted.class);
  }

  @Test
  void aWriteAfterTheCloseSaysSo() throws Exception {
    ManagedProcess process = fixture.shell("sleep 60");
    BlockingQueue<InputOutcome> outcomes = new ArrayBlockingQueue<>(1);

    process.closeInput();
    process.write(new byte[] {1}, outcomes::add);

    assertThat(outcomes.poll(60, TimeUnit.SECONDS)).isEqualTo(new InputOutcome.Closed());
  }

  @Test
  void aCommandThatIsNotFoundLeavesNothing() {
    StartSpec spec =
        new StartSpec(
            "no-such-command",
            List.of(),
            Map.of(),
            Optional.of("/"),
            Optional.empty(),
            Optional.empty(),
            new Stdio.Pipes(false),
            Optional.empty());

    assertThatThrownBy(() -> fixture.start(spec))
        .cause()
        .isInstanceOfSatisfying(
            StartRefused.class,
            refused ->
                assertThat(refused.reason()).isEqualTo(StartRefused.Reason.COMMAND_NOT_FOUND))
        .hasMessageContaining("no-such-command");
    assertThat(fixture.processes.list()).isEmpty();
    assertThat(told).isEmpty();
  }

  @Test
  void anUnknownUserIsNamed() {
    StartSpec spec =
        new StartSpec(
            "true",
            List.of(),
            Map.of(),
            Optional.of("/"),
            Optional.of("nobody-of-this-name"),
            Optional.empty(),
            new Stdio.Pipes(false),
            Optional.empty());

    assertThatThrownBy(() -> fixture.start(spec))
        .cause()
        .hasMessage("invalid username: 'nobody-of-this-name'");
  }

  @Test
  void stoppingEndsWhatRunsAndRefusesMore() throws Exception {
    ManagedProcess polite = fixture.shell("sleep 60");
    ManagedProcess stubborn = fixture.shell("trap '' TERM; echo ready; while :; do sleep 1; done");
    awaitOutput(stubborn);

    fixture.processes.stop();

    assertThat(polite.end())
        .returns(new Exit.Signaled(15, false), ProcessEnd::exit)
        .returns(EndCause.AGENT_STOP, ProcessEnd::cause);
    assertThat(stubborn.end())
        .returns(new Exit.Signaled(9, false), ProcessEnd::exit)
        .returns(EndCause.AGENT_STOP, ProcessEnd::cause);
    assertThatThrownBy(() -> fixture.shell("true")).hasMessageContaining("stopping");
  }

  static void awaitOutput(ManagedProcess process) {
    await()
        .atMost(ProcessFixture.PATIENCE)
        .until(() -> process.log().endOffset(StreamName.STDOUT) > 0);
  }

  private static void killGroup(int group) throws Exception {
    new ProcessBuilder("kill", "-9", "--", "-" + group).start().waitFor();
  }
}
