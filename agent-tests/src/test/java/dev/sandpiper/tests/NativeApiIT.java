package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.protobuf.ByteString;
import dev.sandpiper.proto.v1.Cause;
import dev.sandpiper.proto.v1.Command;
import dev.sandpiper.proto.v1.End;
import dev.sandpiper.proto.v1.ListRequest;
import dev.sandpiper.proto.v1.ListResponse;
import dev.sandpiper.proto.v1.Output;
import dev.sandpiper.proto.v1.ProcessInfo;
import dev.sandpiper.proto.v1.ProcessRef;
import dev.sandpiper.proto.v1.RunRequest;
import dev.sandpiper.proto.v1.RunResponse;
import dev.sandpiper.proto.v1.Scope;
import dev.sandpiper.proto.v1.StartResponse;
import dev.sandpiper.proto.v1.State;
import dev.sandpiper.proto.v1.StopRequest;
import dev.sandpiper.proto.v1.StopResponse;
import dev.sandpiper.proto.v1.TreeMember;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.ConnectClient;
import dev.sandpiper.tests.harness.Deadline;
import dev.sandpiper.tests.harness.Native;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.RpcClient;
import dev.sandpiper.tests.harness.RpcException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// `sandpiper.v1.Processes` from outside: lives, ends, signals, waiting and forgetting.
final class NativeApiIT {
  @RegisterExtension static final Agent agent = Agent.withDefaults();

  enum Wire {
    GRPC,
    CONNECT_JSON,
    CONNECT_BINARY;

    RpcClient client() {
      return switch (this) {
        case GRPC -> agent.get().grpcClient();
        case CONNECT_JSON -> new ConnectClient(agent.get().port(), ConnectClient.Codec.JSON);
        case CONNECT_BINARY -> new ConnectClient(agent.get().port(), ConnectClient.Codec.BINARY);
      };
    }
  }

  private static Native api() {
    return new Native(agent.get().grpcClient());
  }

  private static void fails(String code, String words, ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(
            RpcException.class,
            e -> {
              assertThat(e.code()).isEqualTo(code);
              assertThat(e.detail()).contains(words);
            });
  }

  @ParameterizedTest
  @EnumSource(Wire.class)
  void aLifeFromStartToDeletion(Wire wire) {
    Native api = new Native(wire.client());
    ProcessInfo started =
        api.start(Native.shell("echo out; read line; exit 7").setStdin(true).setTag("life"), "")
            .getProcess();
    assertThat(started.getId()).startsWith("p");
    assertThat(started.getState()).isEqualTo(State.STATE_RUNNING);
    assertThat(started.getAcceptsInput()).isTrue();
    assertThat(started.getArgsList()).containsExactly("-c", "echo out; read line; exit 7");
    assertThat(api.await(started.getId(), 50).getState())
        .as("the time given is over first")
        .isEqualTo(State.STATE_RUNNING);
    fails("failed_precondition", "has not ended", () -> api.delete(started.getId()));

    api.signal(started.getId(), 10, Scope.SCOPE_LEADER);
    ProcessInfo ended = api.await(started.getId());

    assertThat(ended.getState()).isEqualTo(State.STATE_ENDED);
    assertThat(ended.getEnd().getSignal()).isEqualTo(10);
    assertThat(ended.getEnd().getCause()).isEqualTo(Cause.CAUSE_SIGNAL);
    assertThat(ended.getEnd().getUsage().getPeakMemoryBytes()).isPositive();
    assertThat(ended.getTag()).isEqualTo("life");
    assertThat(ended.getStreamsList()).anyMatch(stream -> stream.getEndOffset() == 4);
    assertThat(api.get(started.getId())).isEqualTo(ended);
    fails(
        "failed_precondition",
        "has ended: signal: user defined signal 1",
        () -> api.signal(started.getId(), 15, Scope.SCOPE_GROUP));
    api.delete(started.getId());
    fails("not_found", started.getId(), () -> api.get(started.getId()));
    fails("not_found", started.getId(), () -> api.delete(started.getId()));
  }

  @Test
  void T6_aProcessThatIgnoresSigtermIsRunningUntilItIsGone() {
    ProcessInfo process = api().start("trap '' TERM; echo ready; while :; do sleep 0.1; done");
    await().until(() -> api().get(process.getId()).getStreams(0).getEndOffset() > 0);
    api().signal(process.getId(), 15, Scope.SCOPE_GROUP);
    assertThat(api().await(process.getId(), 300).getState()).isEqualTo(State.STATE_RUNNING);

    StopResponse stopped =
        api().stop(StopRequest.newBuilder().setProcess(Native.id(process.getId())).setGraceMs(300));

    assertThat(stopped.getKilled()).isTrue();
    assertThat(stopped.getProcess().getEnd())
        .returns(9, End::getSignal)
        .returns(Cause.CAUSE_SIGNAL, End::getCause);
    StopResponse again =
        api().stop(StopRequest.newBuilder().setProcess(Native.id(process.getId())));
    assertThat(again.getKilled()).isFalse();
    assertThat(again.getProcess()).as("the same end").isEqualTo(stopped.getProcess());
  }

  @Test
  void aStopThatIsObeyedSaysHowItEnded() {
    ProcessInfo process =
        api().start("trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done");
    await().until(() -> api().get(process.getId()).getStreams(0).getEndOffset() > 0);

    StopResponse stopped =
        api()
            .stop(
                StopRequest.newBuilder()
                    .setProcess(Native.id(process.getId()))
                    .setScope(Scope.SCOPE_LEADER));

    assertThat(stopped.getKilled()).isFalse();
    assertThat(stopped.getProcess().getEnd())
        .returns(3, End::getExitCode)
        .returns(Cause.CAUSE_EXIT, End::getCause);
  }

  @Test
  void T7_aTimeLimitIsTheCauseBesideTheRealSignal() {
    ProcessInfo process =
        api().start(Native.shell("sleep 60").setTimeLimitMs(100), "").getProcess();

    assertThat(api().await(process.getId()).getEnd())
        .returns(9, End::getSignal)
        .returns(Cause.CAUSE_TIME_LIMIT, End::getCause);
  }

  @Test
  void T33_twelveProcessesAreListedInTheOrderOfTheirStartsPageByPage() {
    List<String> started = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      ProcessInfo process =
          api()
              .start(Native.shell(i % 3 == 0 ? "sleep 60" : "true").setTag("twelve"), "")
              .getProcess();
      started.add(process.getId());
      if (i % 3 != 0) {
        api().await(process.getId());
      }
    }

    List<String> listed = new ArrayList<>();
    ListRequest.Builder request = ListRequest.newBuilder().setTag("twelve").setLimit(5);
    do {
      ListResponse page = api().list(request.build());
      page.getProcessesList().forEach(process -> listed.add(process.getId()));
      request.setPageToken(page.getNextPageToken());
    } while (!request.getPageToken().isEmpty());
    assertThat(listed).containsExactlyElementsOf(started);
    assertThat(
            api()
                .list(
                    ListRequest.newBuilder()
                        .setTag("twelve")
                        .addStates(State.STATE_RUNNING)
                        .build())
                .getProcessesList())
        .extracting(ProcessInfo::getId)
        .containsExactly(started.get(0), started.get(3), started.get(6), started.get(9));
    assertThat(
            api()
                .list(
                    ListRequest.newBuilder().setTag("twelve").addStates(State.STATE_ENDED).build())
                .getProcessesList())
        .hasSize(8);
  }

  @Test
  void T4_aBackgroundChildDelaysTheEndNoLongerThanTheDrainLimitAndItsOutputIsItsOwn() {
    ProcessInfo process = api().start("(sleep 3; echo late) & echo early");
    long begun = System.nanoTime();

    ProcessInfo ended = api().await(process.getId());

    assertThat(System.nanoTime() - begun).isLessThan(Deadline.PATIENCE.toNanos());
    assertThat(ended.getEnd().getExitCode()).isZero();
    assertThat(ended.getStreams(0).getEndOffset()).as("at the end").isEqualTo(6);
    await()
        .atMost(Deadline.PATIENCE)
        .untilAsserted(() ->
            assertThat(api().get(process.getId()).getStreams(0).getEndOffset())
                .as("what came later is kept too")
                .isEqualTo(11));
    assertThat(api().get(process.getId()).getEnd())
        .as("the end is the same for ever")
        .isEqualTo(ended.getEnd());
  }

  @Test
  void T3_theLastByteComesBeforeTheEnd() {
    int times = Boolean.getBoolean("sandpiper.proof") ? 10_000 : 200;
    for (int i = 0; i < times; i++) {
      ProcessInfo process = api().start("printf '%s' 0123456789");
      assertThat(api().read(process.getId())).as("time " + i).isEqualTo("0123456789");
    }
  }

  @Test
  void whatMakesNoSenseIsNamed() {
    ProcessInfo process = api().start("sleep 60");
    String id = process.getId();

    fails("invalid_argument", "signal is 65", () -> api().signal(id, 65, Scope.SCOPE_GROUP));
    fails("invalid_argument", "signal is 0", () -> api().signal(id, 0, Scope.SCOPE_GROUP));
    fails(
        "invalid_argument",
        "page_token 'x'",
        () -> api().list(ListRequest.newBuilder().setPageToken("x").build()));
    fails("invalid_argument", "timeout_ms", () -> api().await(id, -1));
    fails("invalid_argument", "cmd", () -> api().start(Native.shell("").clearCmd(), ""));
    fails("not_found", "process p", () -> api().get("p"));
    fails("invalid_argument", "names neither id", () -> api().stop(StopRequest.newBuilder()));
    api().stop(StopRequest.newBuilder().setProcess(Native.id(id)).setGraceMs(0));
  }

  @Test
  void aStopOfATreeTellsWhoWasKilledAndThatNobodyIsLeft() throws Exception {
    ProcessInfo process =
        api().start("trap '' TERM; setsid sleep 300 & echo $!; while :; do sleep 0.1; done");
    await().until(() -> api().get(process.getId()).getStreams(0).getEndOffset() > 0);

    StopResponse stopped =
        api()
            .stop(
                StopRequest.newBuilder()
                    .setProcess(Native.id(process.getId()))
                    .setScope(Scope.SCOPE_TREE)
                    .setGraceMs(200));

    assertThat(stopped.getKilled()).isTrue();
    assertThat(stopped.getTree().getSignalledList())
        .extracting(TreeMember::getName)
        .contains("sh", "sleep");
    assertThat(stopped.getTree().getSurvivorsList()).isEmpty();
    assertThat(stopped.getTree().getGone()).isTrue();
    assertThat(stopped.getProcess().getState()).isEqualTo(State.STATE_ENDED);
    assertThat(stopped.getProcess().getEnd().getCause()).isEqualTo(Cause.CAUSE_SIGNAL);
    int sleeper = Integer.parseInt(api().read(process.getId()).lines().findFirst().orElseThrow());
    assertThat(ProcFs.runs(sleeper)).isFalse();
  }

  @Test
  void T37_aRepeatedStartIsOneProcessAndAnotherRequestWithItsKeyIsAConflict() {
    Command.Builder command = Native.shell("echo once; sleep 60").putEnv("SECRET", "s3cret");
    StartResponse first = api().start(command, "T-37");
    StartResponse second = api().start(command, "T-37");

    assertThat(first.getExisted()).isFalse();
    assertThat(second.getExisted()).isTrue();
    assertThat(second.getProcess().getId()).isEqualTo(first.getProcess().getId());
    assertThat(second.getProcess().getKey()).isEqualTo("T-37");
    fails(
        "already_exists",
        "key 'T-37'",
        () -> api().start(Native.shell("echo once; sleep 60").putEnv("SECRET", "other"), "T-37"));

    String id = first.getProcess().getId();
    api().stop(StopRequest.newBuilder().setProcess(Native.id(id)).setGraceMs(0));
    assertThat(api().start(command, "T-37").getProcess())
        .as("also when it has ended")
        .returns(id, ProcessInfo::getId)
        .returns(State.STATE_ENDED, ProcessInfo::getState);
    api().delete(id);
    assertThat(api().start(command, "T-37").getProcess().getId())
        .as("a key lives as long as its process is known")
        .isNotEqualTo(id);
    fails(
        "not_found",
        "no-such-command",
        () -> api().start(Command.newBuilder().setCmd("no-such-command"), "T-37 missing"));
    assertThat(api().start(Native.shell("true"), "T-37 missing").getExisted())
        .as("a start that failed leaves its key free")
        .isFalse();
  }

  @Test
  void T37_aRepeatedSignalIsSentOnceAndGetsTheFirstReply() {
    ProcessInfo process =
        api()
            .start(
                "trap 'echo got' USR1; trap 'exit 0' USR2; echo ready; while :; do sleep 0.05; done");
    String id = process.getId();
    await().until(() -> api().get(id).getStreams(0).getEndOffset() > 0);
    for (int i = 0; i < 3; i++) {
      api().signal(id, 10, Scope.SCOPE_LEADER, "one signal");
    }
    await().until(() -> api().get(id).getStreams(0).getEndOffset() > "ready\n".length());
    fails(
        "already_exists",
        "'one signal'",
        () -> api().signal(id, 9, Scope.SCOPE_LEADER, "one signal"));
    api().signal(id, 12, Scope.SCOPE_LEADER, "the last");
    assertThat(api().await(id).getEnd().getExitCode()).isZero();

    api().signal(id, 12, Scope.SCOPE_LEADER, "the last");
    assertThat(api().read(id)).isEqualTo("ready\ngot\n");
  }

  @Test
  void T34_aPidThatIsUsedAgainMeansTwoProcessesThatAreToldApart() throws Exception {
    Path lastPid = Path.of("/proc/sys/kernel/ns_last_pid");
    assumeTrue(Files.isWritable(lastPid), "only root can ask for a pid");
    ProcessInfo first = api().start("echo the first");
    api().await(first.getId());
    ProcessInfo second = api().start("true");
    for (int i = 0; i < 500 && second.getPid() != first.getPid(); i++) {
      try {
        Files.writeString(lastPid, Integer.toString(first.getPid() - 1));
      } catch (IOException e) {
        assumeTrue(false, "the kernel gives no pids to order here: " + e);
      }
      second = api().start("echo the second; sleep 60");
    }
    assumeTrue(second.getPid() == first.getPid(), "the pid did not come again");

    assertThat(second.getId()).isNotEqualTo(first.getId());
    assertThat(api().read(first.getId())).isEqualTo("the first\n");
    assertThat(api().get(first.getId()).getState()).isEqualTo(State.STATE_ENDED);
    fails(
        "failed_precondition",
        "has ended",
        () -> api().signal(first.getId(), 9, Scope.SCOPE_GROUP));
    assertThat(api().get(second.getId()).getState())
        .as("a signal for the first did not reach it")
        .isEqualTo(State.STATE_RUNNING);
    api()
        .stop(
            StopRequest.newBuilder()
                .setProcess(ProcessRef.newBuilder().setPid(second.getPid()))
                .setGraceMs(0));
    assertThat(api().get(second.getId()).getState()).isEqualTo(State.STATE_ENDED);
    assertThat(api().read(second.getId())).isEqualTo("the second\n");
  }

  @ParameterizedTest
  @EnumSource(Wire.class)
  void aRunReturnsExitAndBothStreams(Wire wire) {
    Native api = new Native(wire.client());
    RunResponse run =
        api.run(
            RunRequest.newBuilder()
                .setCommand(Native.shell("cat; echo err >&2; exit 5"))
                .setInput(ByteString.copyFromUtf8("input")));

    assertThat(run.getEnd().getExitCode()).isEqualTo(5);
    assertThat(run.getStdout())
        .isEqualTo(Output.newBuilder().setHead(ByteString.copyFromUtf8("input")).build());
    assertThat(run.getStderr().getHead().toStringUtf8()).isEqualTo("err\n");
    assertThat(api.get(run.getId()).getState()).isEqualTo(State.STATE_ENDED);
    assertThat(api.run(RunRequest.newBuilder().setCommand(Native.shell("cat"))).getEnd())
        .as("without input there is end of file")
        .returns(0, End::getExitCode);
  }

  @Test
  void T39_ofALongOutputTheFirstAndTheLastPartAreKeptAndTheRestIsCounted() {
    RunResponse run =
        api()
            .run(
                RunRequest.newBuilder()
                    .setCommand(Native.shell("seq 1 300000; echo short >&2"))
                    .setOutputLimit(65_536));
    StringBuilder all = new StringBuilder();
    for (int i = 1; i <= 300_000; i++) {
      all.append(i).append('\n');
    }
    assertThat(run.getStdout().getHead().toStringUtf8()).isEqualTo(all.substring(0, 32_768));
    assertThat(run.getStdout().getTail().toStringUtf8())
        .isEqualTo(all.substring(all.length() - 32_768));
    assertThat(run.getStdout().getOmittedBytes()).isEqualTo(all.length() - 65_536);
    assertThat(run.getStderr())
        .isEqualTo(Output.newBuilder().setHead(ByteString.copyFromUtf8("short\n")).build());
  }

  @Test
  void T39_theFirstPartIsKeptAlsoWhenRetentionHasRemovedItFromTheLog() {
    int zeros = 100 << 20;
    RunResponse run =
        api()
            .run(
                RunRequest.newBuilder()
                    .setCommand(
                        Native.shell(
                            "printf first; head -c " + zeros + " /dev/zero; printf last")));

    assertThat(run.getStdout().getHead().size()).isEqualTo(524_288);
    assertThat(run.getStdout().getHead().substring(0, 5).toStringUtf8()).isEqualTo("first");
    ByteString tail = run.getStdout().getTail();
    assertThat(tail.substring(tail.size() - 4).toStringUtf8()).isEqualTo("last");
    assertThat(run.getStdout().getOmittedBytes()).isEqualTo(zeros + 9L - (1 << 20));
  }

  @Test
  void theTimeLimitOfARunKillsItsWholeTree() {
    RunResponse run =
        api()
            .run(
                RunRequest.newBuilder()
                    .setCommand(
                        Native.shell("setsid sleep 300 >/dev/null 2>&1 & echo $!; wait")
                            .setTimeLimitMs(300)));

    assertThat(run.getEnd().getCause()).isEqualTo(Cause.CAUSE_TIME_LIMIT);
    assertThat(ProcFs.runs(Long.parseLong(run.getStdout().getHead().toStringUtf8().strip())))
        .isFalse();
  }

  @Test
  void finishedRunsDoNotPileUpAndCrowdNobodyOut() {
    ProcessInfo kept = api().start(Native.shell("true").setTag("kept"), "").getProcess();
    api().await(kept.getId());
    for (int i = 0; i < 120; i++) {
      api().run(RunRequest.newBuilder().setCommand(Native.shell("echo " + i).setTag("runs")));
    }
    await()
        .untilAsserted(() ->
            assertThat(
                    api().list(ListRequest.newBuilder().setTag("runs").build()).getProcessesCount())
                .isLessThanOrEqualTo(100));
    assertThat(api().get(kept.getId()).getState()).isEqualTo(State.STATE_ENDED);
  }
}
