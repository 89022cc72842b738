package dev.sandpiper.agent.service;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.util.JsonFormat;
import dev.sandpiper.agent.launch.Exit;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.process.EndCause;
import dev.sandpiper.agent.process.ProcessEnd;
import dev.sandpiper.agent.rpc.PayloadMessage;
import dev.sandpiper.proto.process.ProcessEvent;
import dev.sandpiper.proto.process.StartResponse;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Base64;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The hand-made encodings say exactly what the generated ones say.
class ProcessMessagesTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 127, 128, 32_768, 4_194_304, Integer.MAX_VALUE})
  void startIsTheSameInBothCodecs(int pid) throws Exception {
    assertBoth(
        ProcessMessages.start(pid),
        ProcessEvent.newBuilder()
            .setStart(ProcessEvent.StartEvent.newBuilder().setPid(pid))
            .build());
  }

  @Test
  void keepaliveIsTheSameInBothCodecs() throws Exception {
    assertBoth(
        ProcessMessages.keepalive(),
        ProcessEvent.newBuilder()
            .setKeepalive(ProcessEvent.KeepAlive.getDefaultInstance())
            .build());
  }

  @Test
  void endsAreTheSameInBothCodecs() throws Exception {
    assertBoth(
        ProcessMessages.end(end(new Exit.Exited(0))), endEvent(0, true, "exit status 0", false));
    assertBoth(
        ProcessMessages.end(end(new Exit.Exited(3))), endEvent(3, true, "exit status 3", true));
    assertBoth(
        ProcessMessages.end(end(new Exit.Signaled(9, false))),
        endEvent(-1, false, "signal: killed", true));
    assertBoth(
        ProcessMessages.end(end(new Exit.Lost("its \"parent\" \\ was away"))),
        endEvent(-1, false, "exit status unknown: its \"parent\" \\ was away", true));
  }

  @ParameterizedTest
  @EnumSource(StreamName.class)
  void dataIsTheSameInBothCodecsAtEveryVarintBoundary(StreamName stream) throws Exception {
    for (int length :
        new int[] {1, 117, 118, 119, 120, 121, 125, 126, 127, 128, 16_370, 16_384, 32_768}) {
      byte[] payload = new byte[length];
      for (int i = 0; i < length; i++) {
        payload[i] = (byte) (i * 31);
      }
      ProcessEvent.DataEvent.Builder data = ProcessEvent.DataEvent.newBuilder();
      ByteString bytes = ByteString.copyFrom(payload);
      switch (stream) {
        case STDOUT -> data.setStdout(bytes);
        case STDERR -> data.setStderr(bytes);
        case PTY -> data.setPty(bytes);
      }
      assertBoth(
          ProcessMessages.data(new FixedCursor(payload), stream, length),
          ProcessEvent.newBuilder().setData(data).build());
    }
  }

  private static void assertBoth(PayloadMessage message, ProcessEvent event) throws Exception {
    StartResponse expected = StartResponse.newBuilder().setEvent(event).build();
    ByteBuffer payload = ByteBuffer.allocateDirect(message.payloadBytes());
    assertThat(message.readPayload(payload)).isEqualTo(message.payloadBytes());
    byte[] bytes = new byte[payload.flip().remaining()];
    payload.get(bytes);

    ByteArrayOutputStream proto = new ByteArrayOutputStream();
    proto.write(message.protoHead());
    proto.write(bytes);
    assertThat(StartResponse.parseFrom(proto.toByteArray())).isEqualTo(expected);

    StartResponse.Builder parsed = StartResponse.newBuilder();
    JsonFormat.parser()
        .merge(
            new String(message.jsonHead(), StandardCharsets.UTF_8)
                + Base64.getEncoder().encodeToString(bytes)
                + new String(message.jsonTail(), StandardCharsets.UTF_8),
            parsed);
    assertThat(parsed.build()).isEqualTo(expected);
    message.release();
  }

  private static ProcessEvent endEvent(int code, boolean exited, String status, boolean error) {
    ProcessEvent.EndEvent.Builder end =
        ProcessEvent.EndEvent.newBuilder().setExitCode(code).setExited(exited).setStatus(status);
    if (error) {
      end.setError(status);
    }
    return ProcessEvent.newBuilder().setEnd(end).build();
  }

  private static ProcessEnd end(Exit exit) {
    return new ProcessEnd(exit, EndCause.EXIT, Instant.EPOCH, 0, 0, 0, null);
  }
}
