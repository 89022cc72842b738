package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.proto.v1.Cause;
import dev.sandpiper.proto.v1.End;
import dev.sandpiper.proto.v1.ListRequest;
import dev.sandpiper.proto.v1.ListResponse;
import dev.sandpiper.proto.v1.ProcessInfo;
import dev.sandpiper.proto.v1.Scope;
import dev.sandpiper.proto.v1.State;
import dev.sandpiper.proto.v1.StopRequest;
import dev.sandpiper.proto.v1.StopResponse;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.ConnectClient;
import dev.sandpiper.tests.harness.Deadline;
import dev.sandpiper.tests.harness.Native;
import dev.sandpiper.tests.harness.RpcClient;
import dev.sandpiper.tests.harness.RpcException;
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
      ProcessInfo ended = api().await(api().start("printf '%s' 0123456789").getId());
      assertThat(ended.getStreams(0).getEndOffset()).as("time " + i).isEqualTo(10);
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
}
