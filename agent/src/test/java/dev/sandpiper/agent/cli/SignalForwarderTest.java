package dev.sandpiper.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.cli.ScriptedServer.Answer;
import dev.sandpiper.proto.process.SendSignalRequest;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class SignalForwarderTest {
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final SignalForwarder forwarder =
      new SignalForwarder(
          new Console(
              new ByteArrayInputStream(new byte[0]),
              new ByteArrayOutputStream(),
              err,
              Console.Input.NOTHING,
              false));
  private final List<Integer> sent = new ArrayList<>();

  @Test
  void signalDuringTheStartWaitsForThePid() {
    forwarder.starting();
    forwarder.accept(2);
    forwarder.accept(15);
    assertThat(sent).isEmpty();
    forwarder.running(sent::add);
    assertThat(sent).containsExactly(2, 15);
    forwarder.accept(1);
    assertThat(sent).containsExactly(2, 15, 1);
  }

  @Test
  void signalAfterTheEndIsDropped() {
    forwarder.starting();
    forwarder.running(sent::add);
    forwarder.ended();
    forwarder.accept(15);
    assertThat(sent).isEmpty();
  }

  @Test
  void signalThatTheAgentRefusesIsReported() {
    forwarder.starting();
    forwarder.running(_ -> {
      throw new ApiException("internal", "no such luck");
    });
    forwarder.accept(15);
    assertThat(err.toString(StandardCharsets.UTF_8))
        .isEqualTo("sandpiper: signal 15 was not passed on: no such luck\n");
  }

  @Test
  void agentThatKnowsOnlyTwoSignalsGetsSigterm() throws Exception {
    var body = "{\"code\":\"unimplemented\",\"message\":\"invalid signal: 2\"}";
    var refusal =
        "HTTP/1.1 501 Not Implemented\r\nContent-Length: " + body.length() + "\r\n\r\n" + body;
    var ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    try (var server = new ScriptedServer(Answer.of(refusal), Answer.of(ok));
        var client = new ProcessClient(server.url(), Optional.empty())) {
      SignalForwarder.sendOrTerminate(client, 7, 2);
      assertThat(SendSignalRequest.parseFrom(server.request().body()).getSignalValue())
          .isEqualTo(2);
      assertThat(SendSignalRequest.parseFrom(server.request().body()).getSignalValue())
          .isEqualTo(15);
    }
  }

  @Test
  void realSignalReachesTheHandler() throws Exception {
    var received = new LinkedBlockingQueue<Integer>();
    Signals.handle(received::add);
    var kill =
        new ProcessBuilder("/bin/sh", "-c", "kill -TERM " + ProcessHandle.current().pid()).start();
    assertThat(kill.waitFor()).isZero();
    assertThat(received.poll(60, TimeUnit.SECONDS))
        .isEqualTo(Signals.TERM); // not HUP, which nohup(1) makes ignored
  }
}
