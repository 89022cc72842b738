package dev.sandpiper.agent.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.launch.Exit;
import dev.sandpiper.agent.launch.Stdio;
import dev.sandpiper.agent.output.Cancellable;
import dev.sandpiper.agent.output.OutputSettings;
import dev.sandpiper.agent.output.StreamName;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RegistryTest {
  @TempDir Path directory;
  private ProcessFixture fixture;

  @BeforeEach
  void start() throws Exception {
    fixture = open(100);
  }

  private ProcessFixture open(int finishedProcesses) throws Exception {
    OutputSettings output =
        new OutputSettings(1 << 20, 16 << 20, finishedProcesses, true, Duration.ofSeconds(5));
    return new ProcessFixture(directory, ProcessFixture.settings(), output);
  }

  @AfterEach
  void stop() throws Exception {
    fixture.stop();
  }

  @Test
  void aFinishedProcessIsKnownByIdWithItsEndAndItsOutputAndHoldsNothingElse() throws Exception {
    ManagedProcess process = fixture.shell("echo out; exit 3");
    ProcessFixture.endOf(process);

    assertThat(fixture.processes.get(process.processId())).containsSame(process);
    assertThat(process.state()).isEqualTo(ManagedProcess.State.ENDED);
    assertThat(process.spec()).isEmpty();
    assertThat(process.acceptsInput()).isFalse();
    assertThat(process.facts()).as("no places of descriptors").isEmpty();
    assertThat(process.commandLine()).isEqualTo("sh -c echo out; exit 3");
    assertThat(ProcessFixture.readToEnd(process)).isEqualTo(Map.of(StreamName.STDOUT, "out\n"));
  }

  @Test
  void processesAreListedInTheOrderOfTheirStartsLiveAndFinished() throws Exception {
    List<String> ids = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      ManagedProcess process = fixture.shell(i % 2 == 0 ? "true" : "sleep 60");
      ids.add(process.processId());
      if (i % 2 == 0) {
        ProcessFixture.endOf(process);
      }
    }

    assertThat(fixture.processes.all())
        .extracting(ManagedProcess::processId)
        .containsExactlyElementsOf(ids);
    assertThat(fixture.processes.after(ids.get(8)))
        .extracting(ManagedProcess::processId)
        .containsExactlyElementsOf(ids.subList(9, 12));
  }

  @Test
  void theOldestFinishedOneMakesRoomForANewerOneAndALiveOneNever() throws Exception {
    fixture.stop();
    fixture = open(2);
    ManagedProcess live = fixture.shell("sleep 60");
    List<String> ids = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      ManagedProcess process = fixture.shell("echo " + i);
      ProcessFixture.endOf(process);
      ids.add(process.processId());
    }

    await()
        .atMost(ProcessFixture.PATIENCE)
        .untilAsserted(() ->
            assertThat(fixture.processes.all())
                .extracting(ManagedProcess::processId)
                .containsExactly(live.processId(), ids.get(2), ids.get(3)));
  }

  @Test
  void aDeletedProcessIsForgottenWithItsBytesAlsoByTheNextAgent() throws Exception {
    ManagedProcess live = fixture.shell("sleep 60");
    ManagedProcess process = fixture.shell("echo some bytes");
    ProcessFixture.endOf(process);

    assertThat(fixture.processes.delete(live.processId())).isEqualTo(DeleteOutcome.LIVE);
    assertThat(fixture.processes.delete(process.processId())).isEqualTo(DeleteOutcome.DELETED);
    assertThat(fixture.processes.delete(process.processId())).isEqualTo(DeleteOutcome.UNKNOWN);
    assertThat(fixture.processes.get(process.processId())).isEmpty();
    await()
        .atMost(ProcessFixture.PATIENCE)
        .untilAsserted(
            () -> assertThat(directory.resolve("state/output").toFile().list()).isEmpty());

    fixture.stop();
    fixture = open(10);
    assertThat(fixture.processes.get(process.processId())).isEmpty();
  }

  @Test
  void theNextAgentKnowsWhatHadEndedAndHow() throws Exception {
    ManagedProcess exited =
        fixture.start(
            ProcessFixture.spec(
                "echo out; echo err >&2; exit 7",
                new Stdio.Pipes(false),
                Optional.of("tagged"),
                Optional.of(Duration.ofSeconds(50))));
    ProcessEnd exit = ProcessFixture.endOf(exited);
    ManagedProcess killed = fixture.terminal("echo on a terminal; kill -9 $$");
    ProcessEnd kill = ProcessFixture.endOf(killed);
    fixture.stop();

    fixture = open(10);

    ManagedProcess first = fixture.processes.get(exited.processId()).orElseThrow();
    assertThat(first.end()).usingRecursiveComparison().isEqualTo(truncated(exit));
    assertThat(exit.usage()).isNotNull();
    assertThat(first)
        .returns(exited.pid(), ManagedProcess::pid)
        .returns("sh", ManagedProcess::cmd)
        .returns(exited.args(), ManagedProcess::args)
        .returns("/", ManagedProcess::cwd)
        .returns(Optional.of("tagged"), ManagedProcess::tag)
        .returns(Optional.of(Duration.ofSeconds(50)), ManagedProcess::timeLimit)
        .returns(exited.userName(), ManagedProcess::userName)
        .returns(
            exited.startedAt().truncatedTo(java.time.temporal.ChronoUnit.MICROS),
            ManagedProcess::startedAt)
        .returns(false, ManagedProcess::terminal);
    assertThat(ProcessFixture.readToEnd(first))
        .isEqualTo(Map.of(StreamName.STDOUT, "out\n", StreamName.STDERR, "err\n"));
    ManagedProcess second = fixture.processes.get(killed.processId()).orElseThrow();
    assertThat(second.end()).usingRecursiveComparison().isEqualTo(truncated(kill));
    assertThat(second.end()).returns(new Exit.Signaled(9, false), ProcessEnd::exit);
    assertThat(second.terminal()).isTrue();
    assertThat(fixture.processes.all()).containsExactly(first, second);
    assertThat(fixture.processes.list()).as("live ones").isEmpty();
  }

  /// The journal knows microseconds.
  private static ProcessEnd truncated(ProcessEnd end) {
    return new ProcessEnd(
        end.exit(),
        end.cause(),
        end.at().truncatedTo(java.time.temporal.ChronoUnit.MICROS),
        end.stdoutBytes(),
        end.stderrBytes(),
        end.ptyBytes(),
        end.usage());
  }

  @Test
  void whoWaitsForAnEndIsToldOnceBeforeOrAfterItAndNotWhenCalledOff() throws Exception {
    ManagedProcess process = fixture.shell("read line");
    AtomicInteger told = new AtomicInteger();
    CountDownLatch once = new CountDownLatch(1);
    Cancellable calledOff = process.whenEnded(told::incrementAndGet);
    process.whenEnded(() -> {
      assertThat(process.end()).isNotNull();
      assertThat(process.log().marked()).isTrue();
      once.countDown();
    });
    calledOff.cancel();

    process.closeInput();

    assertThat(once.await(ProcessFixture.PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
    process.whenEnded(told::incrementAndGet);
    assertThat(told).as("at once, on this thread").hasValue(1);
  }

  @Test
  void aSignalThatNobodyHereSentIsNotAClientsWhateverElseTheClientSent() throws Exception {
    ManagedProcess process = fixture.shell("trap '' USR1; echo ready; sleep 60");
    ProcessManagerTest.awaitOutput(process);
    assertThat(process.signal(10)).isEmpty();
    new ProcessBuilder("kill", "-9", "--", "-" + process.pid()).start().waitFor();

    assertThat(ProcessFixture.endOf(process))
        .returns(new Exit.Signaled(9, false), ProcessEnd::exit)
        .returns(EndCause.EXIT, ProcessEnd::cause);
  }
}
