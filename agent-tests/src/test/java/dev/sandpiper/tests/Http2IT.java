package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.sandpiper.proto.process.ListRequest;
import dev.sandpiper.proto.process.ListResponse;
import dev.sandpiper.proto.process.ProcessGrpc;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.FrameConnection;
import dev.sandpiper.tests.harness.FrameConnection.Frame;
import dev.sandpiper.tests.harness.FrameConnection.Reply;
import io.grpc.stub.ClientCalls;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/// Many calls on one HTTP/2 connection, and calls whose client stops taking what it asked for.
final class Http2IT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  @RegisterExtension
  static final Agent IMPATIENT = Agent.with(builder -> builder.flag("--idle-timeout", "1s"));

  private static final String LIST = "/process.Process/List";
  private static final String WATCH = "/grpc.health.v1.Health/Watch";
  private static final int MAX_STREAMS = 1000;
  private static final int REFUSED_STREAM = 7;
  private static final int CANCEL = 8;
  private static final int ENHANCE_YOUR_CALM = 11;

  private static final byte[] EMPTY = "{}".getBytes(StandardCharsets.UTF_8);

  @Test
  void aThousandCallsOneAfterTheOther() {
    try (FrameConnection connection = FrameConnection.to(AGENT.get().port())) {
      for (int i = 0; i < 1000; i++) {
        Reply reply = connection.reply(connection.call(LIST, "application/json", EMPTY));
        assertThat(reply).isEqualTo(new Reply(200, ByteString.copyFrom(EMPTY), -1));
      }
    }
  }

  /// grpc-java holds back what is above the agent's limit.
  @Test
  void moreCallsAtATimeThanTheLimitThroughAClientThatKnowsIt() throws Exception {
    List<Future<ListResponse>> answers = new ArrayList<>();
    for (int i = 0; i < 3 * MAX_STREAMS; i++) {
      answers.add(
          ClientCalls.futureUnaryCall(
              AGENT
                  .get()
                  .grpcClient()
                  .channel()
                  .newCall(ProcessGrpc.getListMethod(), io.grpc.CallOptions.DEFAULT),
              ListRequest.getDefaultInstance()));
    }
    for (Future<ListResponse> answer : answers) {
      assertThat(answer.get(60, TimeUnit.SECONDS).getProcessesList()).isEmpty();
    }
  }

  @Test
  void aThousandStreamsAtATimeAndOneMoreIsRefused() {
    try (FrameConnection connection = FrameConnection.to(AGENT.get().port())) {
      Set<Integer> silent = new HashSet<>();
      for (int i = 0; i < MAX_STREAMS; i++) {
        silent.add(connection.stream(WATCH, "{}"));
      }
      connection.await(
          "the first message of every stream",
          frame -> {
            if (frame.type() == FrameConnection.DATA) {
              connection.windowUpdate(0, frame.payload().size());
              silent.remove(frame.stream());
            }
            return silent.isEmpty();
          });
      assertThat(connection.reply(connection.call(LIST, "application/json", EMPTY)).code())
          .isEqualTo(REFUSED_STREAM);
      connection.reset(1, CANCEL);
      assertThat(connection.reply(connection.call(LIST, "application/json", EMPTY)).status())
          .isEqualTo(200);
    }
  }

  /// Each answer ends before its request does, and a reset says that the rest is not wanted.
  @Test
  void manyRequestsThatAreAnsweredBeforeTheyEnd() {
    try (FrameConnection connection = FrameConnection.to(AGENT.get().port())) {
      for (int i = 0; i < 500; i++) {
        int stream = connection.request("POST", "/nothing", Map.of(), false);
        assertThat(connection.reply(stream).status()).isEqualTo(404);
        Frame reset =
            connection.await("the reset", frame -> frame.is(FrameConnection.RST_STREAM, stream));
        assertThat(reset.number(0)).as("NO_ERROR").isZero();
      }
    }
  }

  /// Its command has ended, everything is written, but its client opens no window: what waits is not kept for ever.
  @Test
  void aResponseThatNobodyTakesIsDroppedWhileItsConnectionLives() {
    try (FrameConnection connection = FrameConnection.to(IMPATIENT.get().port(), 1000)) {
      int stalled =
          connection.stream(
              "/process.Process/Start",
              "{\"process\":{\"cmd\":\"head\",\"args\":[\"-c\",\"100000\",\"/dev/zero\"]}}");
      Frame reset =
          connection.await("the reset", frame -> frame.is(FrameConnection.RST_STREAM, stalled));
      assertThat(reset.number(0)).isEqualTo(ENHANCE_YOUR_CALM);
      assertThat(connection.reply(connection.request("GET", "/health", Map.of(), true)).status())
          .isEqualTo(204);
    }
  }

  @Test
  void aClientThatTakesLittleButTakesItKeepsItsCall() {
    try (FrameConnection connection = FrameConnection.to(IMPATIENT.get().port(), 0)) {
      // Three times the idle timeout, a piece in each.
      int slow =
          connection.stream(
              "/process.Process/Start",
              "{\"process\":{\"cmd\":\"sh\",\"args\":[\"-c\",\"for i in $(seq 30); do sleep 0.1; echo $i; done\"]}}");
      StringBuilder text = new StringBuilder();
      connection.windowUpdate(slow, 1);
      connection.await(
          "the end",
          frame -> {
            if (frame.is(FrameConnection.DATA, slow)) {
              text.append(frame.payload().toStringUtf8());
              connection.windowUpdate(slow, Math.max(1, frame.payload().size()) + 20);
            }
            return frame.stream() == slow && frame.endsStream();
          });
      assertThat(text).contains("\"exited\":true");
    }
  }
}
