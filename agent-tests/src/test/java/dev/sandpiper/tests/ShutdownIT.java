package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Deadline;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.FrameConnection;
import dev.sandpiper.tests.harness.FrameConnection.Frame;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.RpcException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What clients see of SIGTERM: first their commands end, in order, then their connections.
final class ShutdownIT {
  private static final String START = "/process.Process/Start";
  private static final String HEALTH = "/grpc.health.v1.Health/Check";

  enum Client {
    CONNECT,
    GRPC;

    Processes of(AgentProcess agent) {
      return this == CONNECT ? agent.json() : agent.grpc();
    }
  }

  /// A command that needs its time to stop. Its file says that it has been told to.
  private static Command slowToStop(AgentProcess agent) {
    return Command.sh(
            "trap 'echo told; : > told; while [ ! -e go ]; do sleep 0.05; done; echo bye; exit 7' TERM;"
                + " echo up; while :; do sleep 0.05; done")
        .cwd(agent.stateDirectory().resolveSibling("."));
  }

  @ParameterizedTest
  @EnumSource
  void runningCallsSeeTheEndOfTheirCommandAndNewOnesAreRefused(Client client) {
    try (AgentProcess agent = AgentProcess.builder().flag("--stop-grace", "30s").start()) {
      Processes processes = client.of(agent);
      try (Follower run = processes.start(slowToStop(agent))) {
        run.await("stdout", "up\n");
        agent.signal("TERM");
        run.await("stdout", "told\n");
        try (Follower late = processes.start(Command.of("true"))) {
          RpcException refused = late.error();
          assertThat(refused.code()).isEqualTo("unavailable");
        }
        write(agent, "go");
        assertThat(run.end().exitCode()).isEqualTo(7);
        assertThat(run.stdout()).isEqualTo("up\ntold\nbye\n");
      }
      assertThat(agent.awaitExit()).isEqualTo(143);
    }
  }

  private static void write(AgentProcess agent, String name) {
    try {
      java.nio.file.Files.createFile(agent.stateDirectory().resolveSibling(name));
    } catch (java.io.IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void awaitClosedPort(AgentProcess agent) {
    await()
        .until(() -> {
          try (HttpConnection connection = agent.http()) {
            return connection == null;
          } catch (UncheckedIOException e) {
            return true;
          }
        });
  }

  /// The command has ended, but its client has not taken all of the output: that call is still running.
  @Test
  void goAwayComesWhileACallGoesOnToItsEnd() {
    try (AgentProcess agent = AgentProcess.builder().flag("--shutdown-grace", "30s").start();
        FrameConnection connection = FrameConnection.to(agent.port(), 1000)) {
      int call =
          connection.stream(
              START,
              "{\"process\":{\"cmd\":\"sh\",\"args\":[\"-c\",\"head -c 20000 /dev/zero; exit 7\"]}}");
      connection.await("the head", frame -> frame.is(FrameConnection.HEADERS, call));
      agent.signal("TERM");
      Frame goAway = connection.await("GOAWAY", frame -> frame.type() == FrameConnection.GOAWAY);
      assertThat(goAway.number(0)).as("the last stream that is served").isEqualTo(call);
      assertThat(goAway.number(4)).as("NO_ERROR").isZero();
      int late = connection.request("GET", "/health", Map.of(), true);
      Frame refused = connection.await("an answer", frame -> frame.stream() == late);
      assertThat(refused.type()).isEqualTo(FrameConnection.RST_STREAM);
      assertThat(refused.number(0)).as("REFUSED_STREAM").isEqualTo(7);
      connection.windowUpdate(call, 1_000_000);
      StringBuilder text = new StringBuilder();
      Frame last =
          connection.await(
              "the end of the call",
              frame -> {
                if (frame.is(FrameConnection.DATA, call)) {
                  text.append(frame.payload().toStringUtf8());
                }
                return frame.stream() == call && frame.endsStream();
              });
      assertThat(last.type()).isEqualTo(FrameConnection.DATA);
      assertThat(text).contains("\"exitCode\":7").endsWith("{}");
      connection.awaitClose();
      assertThat(agent.awaitExit()).isEqualTo(143);
    }
  }

  @Test
  void overHttp1TheAnswerSaysCloseAndIdleConnectionsEnd() throws TimeoutException {
    byte[] body = "{}".getBytes(StandardCharsets.UTF_8);
    try (AgentProcess agent = AgentProcess.builder().flag("--shutdown-grace", "30s").start();
        HttpConnection idle = agent.http();
        HttpConnection busy = agent.http()) {
      assertThat(idle.send("GET", "/health", Map.of()).reply().status()).isEqualTo(204);
      busy.sendChunked(
          "POST", HEALTH, Map.of("Content-Type", "application/json", "Expect", "100-continue"));
      assertThat(busy.head(Deadline.in(Deadline.PATIENCE)).status()).isEqualTo(100);
      busy.chunk(new byte[] {body[0]});
      agent.signal("TERM");
      assertThat(idle.closedByPeer(Deadline.in(Deadline.PATIENCE))).isTrue();
      awaitClosedPort(agent);
      busy.chunk(new byte[] {body[1]}).lastChunk();
      HttpConnection.Reply reply = busy.reply();
      assertThat(reply.status()).isEqualTo(200);
      assertThat(reply.header("Connection")).isEqualTo("close");
      assertThat(reply.text()).contains("NOT_SERVING");
      assertThat(busy.closedByPeer(Deadline.in(Deadline.PATIENCE))).isTrue();
      assertThat(agent.awaitExit()).isEqualTo(143);
    }
  }

  @Test
  void whatIsLeftAfterTheGraceIsBrokenOff() {
    try (AgentProcess agent = AgentProcess.builder().flag("--shutdown-grace", "300ms").start();
        FrameConnection connection = FrameConnection.to(agent.port(), 0);
        HttpConnection busy = agent.http()) {
      busy.sendChunked("POST", HEALTH, Map.of("Content-Type", "application/json"));
      int call = connection.stream(START, "{\"process\":{\"cmd\":\"true\"}}");
      connection.await("the head", frame -> frame.is(FrameConnection.HEADERS, call));
      agent.signal("TERM");
      assertThat(connection.awaitClose()).as("GOAWAY").isNotNull();
      assertThat(agent.awaitExit()).isEqualTo(143);
    }
  }
}
