package dev.sandpiper.tests;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.sandpiper.proto.v1.Command;
import dev.sandpiper.proto.v1.Direction;
import dev.sandpiper.proto.v1.Level;
import dev.sandpiper.proto.v1.LogEnd;
import dev.sandpiper.proto.v1.LogEntry;
import dev.sandpiper.proto.v1.LogQuery;
import dev.sandpiper.proto.v1.LogResponse;
import dev.sandpiper.proto.v1.LogsGrpc;
import dev.sandpiper.proto.v1.ProcessesGrpc;
import dev.sandpiper.proto.v1.StartRequest;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.MessageStream;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.RpcClient;
import dev.sandpiper.tests.harness.RpcException;
import dev.sandpiper.tests.harness.Wire;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/// Logs of the whole sandbox, as clients of `sandpiper.v1` see them. Tests of rows of the contract's table of others'
/// defects have their numbers in the comments.
final class LogsIT {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  /// What a query brought.
  private record Found(List<LogEntry> entries, LogEnd end) {
    List<String> messages() {
      return entries.stream().map(LogEntry::getMessage).toList();
    }
  }

  private static Found query(RpcClient rpc, LogQuery query) throws TimeoutException {
    List<LogEntry> entries = new ArrayList<>();
    LogEnd end = null;
    try (MessageStream<LogResponse> stream =
        rpc.serverStream(LogsGrpc.getQueryMethod(), query, Map.of())) {
      for (LogResponse answer = stream.next(PATIENCE);
          answer != null;
          answer = stream.next(PATIENCE)) {
        assertThat(end).isNull();
        switch (answer.getEventCase()) {
          case ENTRY -> entries.add(answer.getEntry());
          case END -> end = answer.getEnd();
          case HEARTBEAT -> {}
          case GAP, EVENT_NOT_SET -> throw new AssertionError("unexpected: " + answer);
        }
      }
    }
    assertThat(end).isNotNull();
    return new Found(entries, end == null ? LogEnd.getDefaultInstance() : end);
  }

  private static String start(AgentProcess agent, String script, String tag) {
    return agent
        .grpcClient()
        .unary(
            ProcessesGrpc.getStartMethod(),
            StartRequest.newBuilder()
                .setCommand(
                    Command.newBuilder()
                        .setCmd("/bin/sh")
                        .addArgs("-c")
                        .addArgs(script)
                        .setTag(tag))
                .build(),
            Map.of())
        .getProcess()
        .getId();
  }

  private static LogQuery.Builder of(String id) {
    return LogQuery.newBuilder().setId(id);
  }

  @Test
  void aFollowerOfAProcessGetsStartLinesEndOnEveryWire() throws TimeoutException {
    String id =
        start(AGENT.get(), "seq 1 1000; echo to stderr >&2; printf unfinished; exit 3", "t");
    List<LogEntry> first = null;
    for (Wire wire : List.of(Wire.GRPC, Wire.CONNECT_JSON, Wire.CONNECT_BINARY)) {
      try (Processes client = wire.client(AGENT.get())) {
        Found found = query(client.rpc(), of(id).setFollow(true).build());
        assertThat(found.entries().getFirst().getEventType()).isEqualTo("process_start");
        assertThat(found.messages()).contains("1", "1000", "to stderr", "unfinished");
        assertThat(found.entries()).hasSize(1004);
        assertThat(found.entries().getLast().getFieldsMap()).containsEntry("exit_code", "3");
        assertThat(found.entries()).allMatch(entry -> entry.getTag().equals("t"));
        assertThat(found.end().getCursor()).isEqualTo(found.entries().getLast().getCursor());
        if (first == null) {
          first = found.entries();
        }
        assertThat(found.entries()).isEqualTo(first);
      }
    }
  }

  @Test
  void pagesOfSevenAreEverythingOnceInBothDirections() throws TimeoutException { // T-25
    RpcClient rpc = AGENT.get().grpcClient();
    String id = start(AGENT.get(), "seq 1 500; seq 1 50 >&2", "");
    List<LogEntry> all = query(rpc, of(id).setFollow(true).build()).entries();
    for (Direction direction : List.of(Direction.DIRECTION_FORWARD, Direction.DIRECTION_BACKWARD)) {
      List<LogEntry> paged = new ArrayList<>();
      String cursor = "";
      while (true) {
        Found page =
            query(rpc, of(id).setLimit(7).setDirection(direction).setCursor(cursor).build());
        paged.addAll(page.entries());
        if (!page.end().getMore()) {
          break;
        }
        cursor = page.end().getCursor();
      }
      assertThat(direction == Direction.DIRECTION_BACKWARD ? paged.reversed() : paged)
          .isEqualTo(all);
    }
  }

  @Test
  void levelHidesNoOutputOfANamedProcess() throws TimeoutException { // T-29
    RpcClient rpc = AGENT.get().grpcClient();
    String id = start(AGENT.get(), "echo output", "levels");
    query(rpc, of(id).setFollow(true).build());
    assertThat(query(rpc, of(id).setLevel(Level.LEVEL_ERROR).build()).messages())
        .containsExactly("output");
    assertThat(
            query(rpc, LogQuery.newBuilder().setTag("levels").setLevel(Level.LEVEL_WARN).build())
                .messages())
        .containsExactly("output");
    assertThat(query(rpc, LogQuery.newBuilder().setLevel(Level.LEVEL_WARN).build()).messages())
        .doesNotContain("output");
  }

  @Test
  void whatCannotBeMeantIsRefused() { // T-17, T-18
    assertThat(refusal(LogQuery.newBuilder().setTail(0))).isEqualTo("invalid_argument");
    assertThat(refusal(LogQuery.newBuilder().setTail(-1))).isEqualTo("invalid_argument");
    assertThat(refusal(LogQuery.newBuilder().setLimit(-1))).isEqualTo("invalid_argument");
    assertThat(refusal(LogQuery.newBuilder().setRegex("("))).isEqualTo("invalid_argument");
    assertThat(refusal(LogQuery.newBuilder().setStreamValue(99))).isEqualTo("invalid_argument");
    assertThat(refusal(LogQuery.newBuilder().setCursor("nonsense"))).isEqualTo("invalid_argument");
    assertThat(refusal(of("p00000000000000000000"))).isEqualTo("not_found");
  }

  private static String refusal(LogQuery.Builder query) {
    return catchThrowableOfType(
            RpcException.class, () -> query(AGENT.get().grpcClient(), query.build()))
        .code();
  }

  @Test
  void aFollowerOfTheSandboxIsWokenAndHasHeartbeats() throws TimeoutException {
    RpcClient rpc = AGENT.get().grpcClient();
    try (MessageStream<LogResponse> stream =
        rpc.serverStream(
            LogsGrpc.getQueryMethod(),
            LogQuery.newBuilder().setFollow(true).setTag("woken").build(),
            Map.of("keepalive-ping-interval", "1"))) {
      assertThat(requireNonNull(stream.next(PATIENCE)).hasHeartbeat()).isTrue();
      String id = start(AGENT.get(), "echo hello", "woken");
      List<String> types = new ArrayList<>();
      while (!types.contains("process_end")) {
        LogResponse answer = requireNonNull(stream.next(PATIENCE));
        if (answer.hasEntry()) {
          assertThat(answer.getEntry().getProcessId()).isEqualTo(id);
          types.add(answer.getEntry().getEventType());
        }
      }
      assertThat(types).containsExactly("process_start", "process_output", "process_end");
    }
  }

  @Test
  void followersThatLeaveMakeRoomForOthers() throws TimeoutException { // T-16
    RpcClient rpc = AGENT.get().grpcClient();
    String id = start(AGENT.get(), "seq 1 20", "");
    query(rpc, of(id).setFollow(true).build());
    for (int i = 0; i < 200; i++) {
      try (MessageStream<LogResponse> stream =
          rpc.serverStream(
              LogsGrpc.getQueryMethod(), LogQuery.newBuilder().setFollow(true).build(), Map.of())) {
        assertThat(stream.next(PATIENCE)).isNotNull();
      }
    }
  }

  @Test
  void historyAndCursorsOutliveTheAgent(@TempDir Path directory) throws TimeoutException {
    Path state = directory.resolve("state");
    String id;
    List<LogEntry> before;
    try (AgentProcess agent = AgentProcess.builder().stateDirectory(state).start()) {
      id = start(agent, "seq 1 300; seq 1 20 >&2", "");
      before = query(agent.grpcClient(), of(id).setFollow(true).build()).entries();
      agent.killHard();
    }
    try (AgentProcess agent = AgentProcess.builder().stateDirectory(state).start()) {
      RpcClient rpc = agent.grpcClient();
      assertThat(query(rpc, of(id).build()).entries()).isEqualTo(before);
      String cursor = before.get(100).getCursor();
      assertThat(query(rpc, of(id).setCursor(cursor).build()).entries())
          .isEqualTo(before.subList(101, before.size()));
      List<String> own =
          query(rpc, LogQuery.newBuilder().setEventType("agent_log").setSearch("listens").build())
              .messages();
      assertThat(own).hasSize(2);
    }
  }
}
