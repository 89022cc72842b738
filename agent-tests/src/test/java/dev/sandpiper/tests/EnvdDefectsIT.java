package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import dev.sandpiper.proto.process.PTY;
import dev.sandpiper.proto.process.ProcessInput;
import dev.sandpiper.proto.process.UpdateRequest;
import dev.sandpiper.tests.harness.Account;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Background;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Deadline;
import dev.sandpiper.tests.harness.Event;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.Records;
import dev.sandpiper.tests.harness.RpcException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Known defects of envd, each with the better behaviour that stays compatible. The processes' are here; where the others
/// are, by their numbers in the list of envd's quirks:
///
/// | Row | Defect | Test |
/// |---|---|---|
/// | 2 | a slow subscriber stalls the others | [OutputLogIT] |
/// | 12 | files of procfs and sysfs cannot be read | [EnvdFileDefectsIT#virtualFilesAreReadToTheirEnd], `FilesIT` |
/// | 13 | an upload that breaks leaves half a file | [EnvdFileDefectsIT#anUploadThatBreaksLeavesTheOldFileAndNoDebris], `FilesIT` |
/// | 14 | files are the agent's to change, whatever the user | `FilesystemIT`: with and without enforcement |
/// | 15 | Remove of nothing removes the home; `/` is taken | `FilesystemIT.nothingRemovesTheRootOrWhatWasNotNamed` |
/// | 16 | relative paths ignore the default directory (kept) | [EnvdFileDefectsIT#relativePathsAreBelowTheHomeAndAbsoluteOnesStayAsTheyAre] |
/// | 17 | broken links and special files have no type (kept) | [EnvdFileDefectsIT#brokenLinksAndSpecialFilesAreListedWithATypeThatIsNone] |
/// | 18 | a watcher's message has a formatting slip | [EnvdFileDefectsIT#aWatchOfAFileSaysWhatIsWrongAndNoMore] |
/// | 19 | downloads overwrite `Vary` | [EnvdFileDefectsIT#aDownloadForABrowserVariesByOriginAndByEncoding] |
/// | 20 | the answer to an upload is typed as text | [EnvdFileDefectsIT#theAnswerToAnUploadIsTypedAsJson] |
/// | 21 | a recursive watch loses and repeats events | [EnvdFileDefectsIT#aTreeThatAppearsIsReportedWholeAndOnce] |
/// | 22 | polling watchers grow for ever | [EnvdFileDefectsIT#aPollingWatcherIsBoundedAndGoesOnAfterALoss], [EnvdFileDefectsIT#pollingWatchersAreCountedAndExpire] |
/// | 23 | one bad directory fails a whole listing | [EnvdFileDefectsIT#aListingGetsPastWhatVanishesAndWhatIsClosed] |
/// | 27 | `/init` makes it ask for a machine's metadata | [EnvdFileDefectsIT#afterInitNobodyAsksForTheMetadataOfAMachine] |
/// | 28 | metrics are the machine's | [MetricsIT#aControlGroupsLimitsCountInPlaceOfTheMachines] |
/// | 29 | whoever comes first may `/init` | [AccessIT#aOneTimeSecretOpensTheFirstInitAndNoOther] |
/// | 30 | the default user is root until `/init` | [EnvdFileDefectsIT#theDefaultUserCanBeSaidBeforeTheFirstInit] |
/// | 32 | Move makes directories for nothing, and stays on one file system | [EnvdFileDefectsIT#aMoveOfNothingMakesNothing], `FilesystemIT.movesBetweenFileSystems` |
/// | 33 | a name that is not UTF-8 fails listing and watch | [EnvdFileDefectsIT#aNameThatIsNotUtf8HidesNothingAndEndsNoWatch] |
/// | 35 | Compose deletes its own result | [EnvdFileDefectsIT#composeKnowsItsDestinationAmongTheSourcesHoweverItIsSpelled] |
/// | 36 | a watch goes on after what it watches has gone | [EnvdFileDefectsIT#aWatchEndsWhenItsRootIsRenamed], [EnvdFileDefectsIT#aDirectoryThatWasMovedOutIsNoLongerReported] |
/// | 38 | an upload to `new/` makes a directory, then fails | [EnvdFileDefectsIT#anUploadToTheNameOfADirectoryMakesNone] |
final class EnvdDefectsIT {
  @RegisterExtension
  static final Agent AGENT = Agent.with(builder -> builder.flag("--input-stall-limit", "1s"));

  private final Processes processes = AGENT.get().json();
  private final Records records = AGENT.get().records();

  @TempDir Path directory;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "0",
        "-1",
        "-9223372036854775808",
        "10000000000",
        "9223372036854775807",
        "99999999999999999999999",
        "soon",
        "1.5",
        ""
      })
  void anyKeepaliveIntervalIsServed(String interval) {
    try (Follower run =
            processes.start(Command.of("cat").stdin().header("Keepalive-Ping-Interval", interval));
        Follower connected =
            processes.connect(
                Processes.pid(run.pid()), Map.of("Keepalive-Ping-Interval", interval))) {
      assertThat(connected.pid()).isEqualTo(run.pid());
      processes.closeStdin(run.pid());
      assertThat(run.end().exitCode()).isZero();
      assertThat(connected.end().exitCode()).isZero();
    }
    assertThat(AGENT.get().alive()).isTrue();
  }

  @Test
  void aKeepaliveIntervalBelowOneSecondIsOneSecondOrMore() {
    long started = System.nanoTime();
    try (Follower run =
        processes.start(Command.of("cat").stdin().header("Keepalive-Ping-Interval", "1"))) {
      run.awaitKeepAlive();
      assertThat(Measured.since(started)).isGreaterThan(Duration.ofMillis(800));
      processes.closeStdin(run.pid());
      run.end();
    }
  }

  @Test
  void killReachesTheWholeGroup() {
    try (Follower run =
        processes.start(Command.sh("sleep 600 & echo $!; sleep 600 & echo $!; echo .; wait"))) {
      List<Long> children = children(run);
      processes.kill(run.pid());
      assertThat(run.end().status()).isEqualTo("signal: killed");
      assertGone(children);
    }
  }

  @Test
  void terminateReachesTheWholeGroup() {
    try (Follower run =
        processes.start(Command.sh("sleep 600 & echo $!; sleep 600 & echo $!; echo .; wait"))) {
      List<Long> children = children(run);
      processes.terminate(run.pid());
      assertThat(run.end().status()).isEqualTo("signal: terminated");
      assertGone(children);
    }
  }

  @Test
  void theTimeLimitReachesTheWholeGroup() {
    try (Follower run =
        processes.start(
            Command.sh("sleep 600 & echo $!; sleep 600 & echo $!; echo .; wait")
                .timeLimitMillis(1500))) {
      List<Long> children = children(run);
      assertThat(run.error().code()).isEqualTo("deadline_exceeded");
      assertGone(children);
    }
  }

  private static List<Long> children(Follower run) {
    run.await("stdout", ".");
    List<Long> pids =
        run.stdout().lines().filter(it -> !it.equals(".")).map(Long::valueOf).toList();
    assertThat(pids).hasSize(2);
    return pids;
  }

  private static void assertGone(List<Long> pids) {
    await("the group is gone").untilAsserted(() -> assertThat(pids).noneMatch(ProcFs::runs));
  }

  @Test
  void aBackgroundChildDoesNotDelayTheEnd() {
    long started = System.nanoTime();
    try (Follower run = processes.start(Command.sh("sleep 600 & echo $!; exit 6"))) {
      assertThat(run.end().exitCode()).isEqualTo(6);
      Duration took = Measured.since(started);
      Measured.print("end while a child holds the streams: %.2f s", Measured.seconds(took));
      assertThat(took).isLessThan(Deadline.PATIENCE);
      assertThat(ProcFs.runs(Long.parseLong(run.stdout().strip()))).isTrue();
      assertThat(processes.listed(run.pid())).as("not listed after its end").isEmpty();
    }
  }

  @Test
  void nothingIsLostOfWhatWasPrintedBeforeASignal() {
    int bytes = 200_000;
    for (int i = 0; i < 20; i++) {
      try (Follower run =
          processes.start(
              Command.python(
                  "import os, signal\n"
                      + "left = "
                      + bytes
                      + "\n"
                      + "while left > 0: left -= os.write(1, b'x' * min(left, 65536))\n"
                      + "os.write(2, b'printed')\n"
                      + "signal.pause()"))) {
        run.await("stderr", "printed");
        processes.kill(run.pid());
        assertThat(run.end().status()).isEqualTo("signal: killed");
        assertThat(run.raw("stdout").size()).isEqualTo(bytes);
      }
    }
  }

  @Test
  void theFirstOutputOfATerminalIsNeverLost() {
    for (int i = 0; i < 100; i++) {
      assertThat(processes.run(Command.of("echo", "first").pty(80, 24)).pty())
          .isEqualTo("first\r\n");
    }
  }

  @Test
  void aTagIsFoundAmongOthers() {
    try (Follower a = processes.start(Command.of("sleep", "600").tag("a"));
        Follower b = processes.start(Command.of("sleep", "600").tag("b"));
        Follower none = processes.start(Command.of("sleep", "600"));
        Follower c = processes.start(Command.of("sleep", "600").tag("c"))) {
      none.pid();
      for (Follower each : List.of(a, b, c)) {
        String tag = processes.listed(each.pid()).orElseThrow().getTag();
        try (Follower connected = processes.connect(Processes.tag(tag))) {
          assertThat(connected.pid()).isEqualTo(each.pid());
        }
      }
      for (Follower each : List.of(a, b, c, none)) {
        processes.kill(each.pid());
        each.end();
      }
    }
  }

  @Test
  void streamInputWithoutAStartIsInvalid() {
    for (Processes client : List.of(processes, AGENT.get().binary(), AGENT.get().grpc())) {
      assertThatThrownBy(() -> client.streamInput(List.of(Processes.input("x"))))
          .isInstanceOfSatisfying(
              RpcException.class, e -> assertThat(e.code()).isEqualTo("invalid_argument"));
    }
  }

  /// Input for a command that reads none is bounded and answered, and closing its input waits for nothing.
  @Test
  void inputForACommandThatDoesNotReadIsAnsweredAndDoesNotBlockCloseStdin() {
    try (Follower run = processes.start(Command.of("sleep", "600").stdin())) {
      int pid = run.pid();
      ProcessInput mebibyte =
          ProcessInput.newBuilder().setStdin(ByteString.copyFrom(new byte[1 << 20])).build();
      CompletableFuture<Integer> sender =
          Background.supply(() -> {
            int accepted = 0;
            try {
              for (; accepted < 64; accepted++) {
                AGENT.get().binary().sendInput(Processes.pid(pid), mebibyte);
              }
            } catch (RpcException e) {
              Measured.print("after %d MiB of unread input: %s", accepted, e);
            }
            return accepted;
          });
      assertThat(sender.join()).as("bounded").isLessThan(64);

      long started = System.nanoTime();
      processes.closeStdin(pid);
      assertThat(Measured.since(started)).isLessThan(Deadline.PATIENCE);
      processes.kill(pid);
      run.end();
    }
  }

  @Test
  void closeStdinBehindAFullPipeSucceedsAlsoWhenTheProcessDies() {
    for (int i = 0; i < 5; i++) {
      try (Follower run = processes.start(Command.of("sleep", "600").stdin())) {
        int pid = run.pid();
        CompletableFuture<Void> input =
            Background.run(() -> {
              try {
                AGENT
                    .get()
                    .binary()
                    .sendInput(
                        Processes.pid(pid),
                        ProcessInput.newBuilder()
                            .setStdin(ByteString.copyFrom(new byte[400_000]))
                            .build());
              } catch (RpcException e) {
                // The process ends before it has read this: any answer will do.
              }
            });
        CompletableFuture<Void> close = Background.run(() -> processes.closeStdin(pid));
        close.join();
        processes.kill(pid);
        assertThat(run.end().status()).isEqualTo("signal: killed");
        input.join();
      }
    }
  }

  @Test
  void inputSentBeforeCloseStdinArrivesWhole() {
    try (Follower run = processes.start(Command.sh("sleep 0.3; wc -c").stdin())) {
      int pid = run.pid();
      for (int i = 0; i < 5; i++) {
        processes.sendInput(
            Processes.pid(pid),
            ProcessInput.newBuilder().setStdin(ByteString.copyFrom(new byte[30_000])).build());
      }
      processes.closeStdin(pid);
      run.end();
      assertThat(run.stdout().strip()).isEqualTo("150000");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "-1", "-99999"})
  void aTimeLimitOfZeroOrLessIsNone(String limit) {
    try (Follower run =
        processes.start(Command.of("cat").stdin().header("Connect-Timeout-Ms", limit))) {
      run.pid();
      processes.sendStdin(run.pid(), "alive");
      run.await("stdout", "alive");
      processes.closeStdin(run.pid());
      assertThat(run.end().exitCode()).isZero();
    }
  }

  @Test
  void prioritiesAreSetAsFarAsTheyMayBe() throws IOException {
    Follower run = processes.run(Command.sh("cat /proc/self/oom_score_adj; nice"));
    int own = Integer.parseInt(ProcFs.read(AGENT.get().pid(), "oom_score_adj").strip());

    List<String> lines = run.stdout().lines().toList();
    Measured.print("oom_score_adj of the agent %d, of a command %s", own, lines.get(0));
    assertThat(run.end().exitCode()).isZero();
    assertThat(Integer.parseInt(lines.get(0))).isIn(100, own);
  }

  /// A floor that may not be gone below must not make commands fail.
  @Test
  void aCommandRunsWhereItsOomScoreMayNotBeLowered() {
    try (Account account = new Account();
        AgentProcess agent =
            AgentProcess.builder()
                .as(account)
                .via("/bin/sh", "-c", "echo 900 > /proc/self/oom_score_adj && exec \"$@\"", "sh")
                .start()) {
      Follower run = agent.json().run(Command.of("cat", "/proc/self/oom_score_adj"));
      assertThat(run.stdout().strip()).isIn("900", "100");
      assertThat(run.end().exitCode()).isZero();
    }
  }

  @Test
  void secretsStayOutOfTheAgentsOwnLogs() {
    String secret = "s3cr3t-" + System.nanoTime();
    try (Follower run =
        processes.start(
            Command.of("sh", "-c", "read line; exit 0", secret + "-arg")
                .stdin()
                .env("TOKEN", secret + "-env")
                .tag("secretive"))) {
      processes.sendStdin(run.pid(), secret + "-input\n");
      run.end();
    }
    try (Follower refused =
        processes.start(Command.of("no-such-command").env("TOKEN", secret + "-env2"))) {
      assertThat(refused.error().detail()).doesNotContain(secret);
    }
    records.awaitEnd("secretive");
    assertThat(records.all()).noneMatch(record -> record.toString().contains(secret));
    assertThat(AGENT.get().stderr()).doesNotContain(secret);
  }

  @Test
  void theEndRecordHasThePid() {
    Follower run = processes.run(Command.sh("exit 9").tag("with-pid"));

    List<Records.Entry> all = records.awaitEnd("with-pid");
    assertThat(all.getLast().is("process_end")).isTrue();
    assertThat(all.getLast().number("pid")).isEqualTo(run.pid());
  }

  @Test
  void listNeverShowsAProcessWhoseEndWasDelivered() {
    for (int i = 0; i < 200; i++) {
      try (Follower run = processes.start(Command.of("true"))) {
        while (!(run.next() instanceof Event.End)) {
          // to the end event, not to the end of the call
        }
        assertThat(processes.listed(run.pid())).isEmpty();
      }
    }
  }

  @Test
  void keepalivesGoOnAfterBothStreamsHaveEnded() {
    try (Follower run =
        processes.start(
            Command.sh("exec >&- 2>&-; read line; exit 3")
                .stdin()
                .header("Keepalive-Ping-Interval", "1"))) {
      run.awaitKeepAlive().awaitKeepAlive();
      processes.sendStdin(run.pid(), "\n");
      assertThat(run.end().exitCode()).isEqualTo(3);
    }
  }

  @Test
  void aCommandNameThatBeginsWithADashIsAName() throws IOException {
    try (Follower missing = processes.start(Command.of("-n", "19", "true"))) {
      RpcException error = missing.error();
      assertThat(missing.started()).isFalse();
      assertThat(error.detail()).contains("-n").containsIgnoringCase("not found");
    }
    Path dashed = directory.resolve("-dashed");
    Files.createSymbolicLink(dashed, Path.of("/bin/echo"));
    Follower found =
        processes.run(Command.of("-dashed", "it", "runs").env("PATH", directory.toString()));
    assertThat(found.stdout()).isEqualTo("it runs\n");
  }

  @Test
  void anUpdateOfATerminalWithoutASizeIsRefusedAndChangesNothing() {
    try (Follower run = processes.start(Command.sh("read line; stty size").pty(91, 33))) {
      UpdateRequest update =
          UpdateRequest.newBuilder()
              .setProcess(Processes.pid(run.pid()))
              .setPty(PTY.getDefaultInstance())
              .build();
      assertThatThrownBy(() -> processes.update(update))
          .isInstanceOfSatisfying(
              RpcException.class, e -> assertThat(e.code()).isEqualTo("invalid_argument"));
      processes.sendPty(run.pid(), "\n");
      run.end();
      assertThat(run.pty()).contains("33 91");
    }
  }
}
