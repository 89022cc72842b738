package dev.sandpiper.agent.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.journal.Bytes;
import dev.sandpiper.agent.journal.JournalEntry;
import dev.sandpiper.agent.launch.Child;
import dev.sandpiper.agent.launch.Exit;
import dev.sandpiper.agent.launch.ProcessIdentity;
import dev.sandpiper.agent.launch.Scope;
import dev.sandpiper.agent.launch.Stdio;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.posix.Signals;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// One manager leaves processes, the next one on the same directory has them.
class AdoptionTest {
  @TempDir Path directory;
  private ProcessFixture fixture;

  @BeforeEach
  void open() throws Exception {
    fixture = new ProcessFixture(directory, ProcessFixture.leaving());
  }

  @AfterEach
  void stop() throws Exception {
    for (ManagedProcess left : fixture.processes.list()) {
      left.signal(Signals.SIGKILL, Scope.GROUP);
      ProcessFixture.endOf(left);
    }
    fixture.stop();
  }

  private void again() throws Exception {
    fixture.stop();
    open();
  }

  private ManagedProcess same(ManagedProcess before) {
    ManagedProcess after = fixture.processes.get(before.processId()).orElseThrow();
    assertThat(after).isNotSameAs(before);
    assertThat(after.pid()).isEqualTo(before.pid());
    assertThat(after.tag()).isEqualTo(before.tag());
    assertThat(after.startedAt()).isEqualTo(before.startedAt());
    return after;
  }

  private static void write(ManagedProcess process, String text) throws Exception {
    CompletableFuture<InputOutcome> outcome = new CompletableFuture<>();
    process.write(text.getBytes(StandardCharsets.UTF_8), outcome::complete);
    assertThat(outcome.get(60, TimeUnit.SECONDS)).isInstanceOf(InputOutcome.Accepted.class);
  }

  @Test
  void aRunningProcessGoesOnUnderItsIdWithItsOutputAndItsInput() throws Exception {
    ManagedProcess before =
        fixture.start(
            ProcessFixture.spec(
                "echo one; read x; echo $x; read y; exit 5",
                new Stdio.Pipes(true),
                Optional.of("tagged"),
                Optional.empty()));
    await().until(() -> before.log().endOffset(StreamName.STDOUT) == 4);
    again();
    ManagedProcess after = same(before);
    assertThat(after.state()).isEqualTo(ManagedProcess.State.RUNNING);
    assertThat(after.facts()).containsEntry(Child.ADOPTED, "keeper").doesNotContainKey(Child.LOST);
    assertThat(fixture.processes.find(new Selector.ByTag("tagged"))).containsSame(after);
    write(after, "two\n");
    await().until(() -> after.log().endOffset(StreamName.STDOUT) == 8);
    again();
    write(same(before), "three\n");
    ManagedProcess last = same(before);
    assertThat(ProcessFixture.readToEnd(last)).isEqualTo(Map.of(StreamName.STDOUT, "one\ntwo\n"));
    assertThat(ProcessFixture.endOf(last).exit()).isEqualTo(new Exit.Exited(5));
  }

  @Test
  void whatEndedMeanwhileEndsWithEverythingItPrinted() throws Exception {
    Path go = directory.resolve("go");
    ManagedProcess before =
        fixture.shell(
            "echo up; while [ ! -e %s ]; do sleep 0.01; done; head -c 100000 /dev/zero; exit 9"
                .formatted(go));
    await().until(() -> before.log().endOffset(StreamName.STDOUT) == 3);
    fixture.stop();
    Files.createFile(go);
    await()
        .until(() ->
            Files.readString(Path.of("/proc/%d/stat".formatted(before.pid()))).contains(") Z"));
    open();
    ManagedProcess after = same(before);
    assertThat(ProcessFixture.endOf(after).exit()).isEqualTo(new Exit.Exited(9));
    assertThat(ProcessFixture.endOf(after).stdoutBytes()).isEqualTo(100_003);
  }

  @Test
  void whoConnectsLateFindsAnEndOfJustBeforeARestart() throws Exception {
    ManagedProcess before =
        fixture.start(
            ProcessFixture.spec(
                "read x; exit 6", new Stdio.Pipes(true), Optional.of("late"), Optional.empty()));
    write(before, "four\n");
    ProcessFixture.endOf(before);
    again();
    assertThat(same(before).inputOffset()).as("what it got is still known").isEqualTo(5);
    for (Selector selector :
        List.of(new Selector.ByPid(before.pid()), new Selector.ByTag("late"))) {
      assertThat(fixture.processes.findEnded(selector))
          .hasValueSatisfying(end -> assertThat(end.end().exit()).isEqualTo(new Exit.Exited(6)));
    }
  }

  @Test
  void aStartThatWasAnnouncedAndIsNotFoundHasEndedLostAndKeepsItsKey() throws Exception {
    String id = new ProcessIds(InstantSource.system()).get();
    fixture
        .journal()
        .append(
            new JournalEntry.Started(
                id,
                0,
                0,
                ProcessIdentity.thisBoot(),
                "true",
                List.of(),
                "/",
                "root",
                "keyed",
                false,
                0,
                1,
                Map.of(Child.FIFO_STDOUT, "/run/none.1", Child.FIFO_STDERR, "/run/none.2"),
                "key",
                Bytes.copyOf(new byte[] {1}),
                false));
    for (int agent = 0; agent < 2; agent++) {
      again();
      ManagedProcess lost = fixture.processes.get(id).orElseThrow();
      assertThat(ProcessFixture.endOf(lost).cause()).isEqualTo(EndCause.LOST);
      assertThat(lost.pid()).isZero();
      assertThat(lost.key()).contains("key");
      assertThat(lost.signal(9)).as("reaches nobody").isEmpty();
    }
  }

  @Test
  void whatABackgroundChildOfAFinishedProcessPrintsGoesOnToItsLog() throws Exception {
    Path go = directory.resolve("go");
    ManagedProcess before =
        fixture.shell(
            "echo first; { while [ ! -e %s ]; do sleep 0.01; done; echo later; } & exit 0"
                .formatted(go));
    ProcessFixture.endOf(before);
    again();
    ManagedProcess after = same(before);
    assertThat(after.state()).isEqualTo(ManagedProcess.State.ENDED);
    assertThat(ProcessFixture.readToEnd(after)).isEqualTo(Map.of(StreamName.STDOUT, "first\n"));
    assertThat(after.log().drained()).isFalse();
    Files.createFile(go);
    await().until(() -> after.log().drained());
    assertThat(after.log().endOffset(StreamName.STDOUT)).isEqualTo(12);
    assertThat(ProcessFixture.readToEnd(after))
        .as("up to the end of the process")
        .isEqualTo(Map.of(StreamName.STDOUT, "first\n"));
  }

  @Test
  void aTimeLimitGoesOnFromTheStart() throws Exception {
    ManagedProcess before =
        fixture.start(
            ProcessFixture.spec(
                "exec sleep 60",
                new Stdio.Pipes(false),
                Optional.empty(),
                Optional.of(Duration.ofMillis(500))));
    again();
    ProcessEnd end = ProcessFixture.endOf(same(before));
    assertThat(end.exit()).isEqualTo(new Exit.Signaled(Signals.SIGKILL, false));
    assertThat(end.cause()).isEqualTo(EndCause.TIME_LIMIT);
    assertThat(Duration.between(before.startedAt(), end.at()))
        .isGreaterThan(Duration.ofMillis(499));
  }

  @Test
  void aTerminalIsStillThere() throws Exception {
    ManagedProcess before = fixture.terminal("stty -echo; echo up; read x; echo got $x; stty size");
    await().until(() -> before.log().endOffset(StreamName.PTY) >= 4);
    again();
    ManagedProcess after = same(before);
    write(after, "it\n");
    assertThat(ProcessFixture.readToEnd(after).get(StreamName.PTY)).endsWith("got it\r\n24 80\r\n");
  }

  @Test
  void afterARebootNothingIsTakenOverAndTheEndIsLost() throws Exception {
    String id = "p00000000000000000z";
    fixture
        .journal()
        .append(
            new JournalEntry.Started(
                id,
                1,
                1,
                "another-boot",
                "sh",
                List.of(),
                "/",
                "root",
                null,
                false,
                0,
                1_000_000,
                Map.of(),
                null,
                Bytes.EMPTY,
                false));
    for (int restart = 0; restart < 2; restart++) {
      again();
      ManagedProcess process = fixture.processes.get(id).orElseThrow();
      assertThat(process.state()).isEqualTo(ManagedProcess.State.ENDED);
      ProcessEnd end = Objects.requireNonNull(process.end());
      assertThat(end.cause()).isEqualTo(EndCause.LOST);
      assertThat(end.status()).contains("the machine was started anew");
    }
  }
}
