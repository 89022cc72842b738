package dev.sandpiper.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.sandpiper.agent.cli.ScriptedServer.Answer;
import dev.sandpiper.proto.process.ProcessConfig;
import dev.sandpiper.proto.process.ProcessEvent;
import dev.sandpiper.proto.process.SendInputRequest;
import dev.sandpiper.proto.process.SendSignalRequest;
import dev.sandpiper.proto.process.StartRequest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(20)
class ProcessClientTest {
  private static final StartRequest REQUEST =
      StartRequest.newBuilder().setProcess(ProcessConfig.newBuilder().setCmd("true")).build();

  private static List<ProcessEvent> events(ScriptedServer server) throws Exception {
    var events = new ArrayList<ProcessEvent>();
    try (var client = new ProcessClient(server.url(), Optional.empty());
        var stream = client.start(REQUEST, Optional.empty(), Optional.empty())) {
      for (var event = stream.next(); event.isPresent(); event = stream.next()) {
        events.add(event.get());
      }
    }
    return events;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 16, 1 << 20})
  void readsEventsThatArriveInPieces(int pieceBytes) throws Exception {
    var sent = List.of(Wire.start(7), Wire.stdout("hello"), Wire.keepalive(), Wire.exited(3));
    try (var server =
        new ScriptedServer(Answer.of(Wire.stream(sent, "{}")).inPiecesOf(pieceBytes))) {
      assertThat(events(server)).isEqualTo(sent);
    }
  }

  @Test
  void asksAsConnectClientsDo() throws Exception {
    try (var server = new ScriptedServer(Answer.of(Wire.stream(List.of(), "{}")));
        var client = new ProcessClient(server.url(), Optional.empty());
        var stream =
            client.start(REQUEST, Optional.of("ann"), Optional.of(Duration.ofSeconds(5)))) {
      assertThat(stream.next()).isEmpty();
      var request = server.request();
      assertThat(request.head())
          .startsWith("POST /process.Process/Start HTTP/1.1\r\n")
          .contains("\r\nContent-Type: application/connect+proto\r\n")
          .contains("\r\nConnect-Protocol-Version: 1\r\n")
          .contains("\r\nConnect-Timeout-Ms: 5000\r\n")
          .contains("\r\nAuthorization: Basic YW5uOg==\r\n");
      assertThat(request.body()).isEqualTo(Wire.envelope(0, REQUEST.toByteString()));
    }
  }

  @Test
  void errorAtTheEndIsThrownAfterTheEvents() throws Exception {
    var end =
        """
        {"error":{"code":"deadline_exceeded","message":"context deadline exceeded"},"metadata":{"a":["b"]}}\
        """;
    try (var server = new ScriptedServer(Answer.of(Wire.stream(List.of(Wire.start(7)), end)));
        var client = new ProcessClient(server.url(), Optional.empty());
        var stream = client.start(REQUEST, Optional.empty(), Optional.empty())) {
      assertThat(stream.next()).contains(Wire.start(7));
      assertThatThrownBy(stream::next)
          .isInstanceOf(ApiException.class)
          .hasMessage("context deadline exceeded")
          .extracting(e -> ((ApiException) e).code())
          .isEqualTo("deadline_exceeded");
      assertThat(stream.next()).isEmpty();
    }
  }

  @Test
  void refusalWithAPlainStatusKeepsItsText() throws Exception {
    var answer = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 9\r\n\r\nno agent\n";
    try (var server = new ScriptedServer(Answer.of(answer))) {
      assertThatThrownBy(() -> events(server))
          .isInstanceOf(ApiException.class)
          .hasMessage("HTTP status 502: no agent");
    }
  }

  @Test
  void streamThatStopsWithoutAnEndIsAnError() throws Exception {
    var whole = Wire.body(List.of(Wire.start(7), Wire.stdout("x")), "{}");
    for (var length = 0; length < whole.size(); length++) {
      try (var server = new ScriptedServer(Answer.of(Wire.response(whole.substring(0, length))))) {
        assertThatThrownBy(() -> events(server)).isInstanceOf(IOException.class);
      }
    }
  }

  @Test
  void hostileEnvelopesAreRefusedBeforeTheyAreRead() throws Exception {
    for (var head :
        List.of("\0\u007f\u00ff\u00ff\u00ff", "\0\u00ff\u00ff\u00ff\u00ff", "\1\0\0\0\0")) {
      var bytes = ByteString.copyFrom(head, StandardCharsets.ISO_8859_1);
      try (var server = new ScriptedServer(Answer.of(Wire.response(bytes)))) {
        assertThatThrownBy(() -> events(server)).hasMessageStartingWith("not an envelope");
      }
    }
  }

  @Test
  void unaryCallsShareAConnectionUntilItIsClosed() throws Exception {
    var ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    try (var server = new ScriptedServer(Answer.of(ok), Answer.of(ok).thenClose(), Answer.of(ok));
        var client = new ProcessClient(server.url(), Optional.empty())) {
      client.sendInput(7, false, new byte[] {'a', 'b', 'c'}, 2);
      var input = SendInputRequest.parseFrom(server.request().body());
      assertThat(input.getProcess().getPid()).isEqualTo(7);
      assertThat(input.getInput().getStdin()).isEqualTo(ByteString.copyFromUtf8("ab"));
      client.sendSignal(7, 2);
      var signal = SendSignalRequest.parseFrom(server.request().body());
      assertThat(signal.getSignalValue()).isEqualTo(2);
      assertThat(server.connections()).isEqualTo(1);
    }
  }

  @Test
  void unaryErrorCarriesItsCode() throws Exception {
    var body = "{\"code\":\"not_found\",\"message\":\"process with pid 7 not found\"}";
    var answer = "HTTP/1.1 404 Not Found\r\nContent-Length: " + body.length() + "\r\n\r\n" + body;
    try (var server = new ScriptedServer(Answer.of(answer));
        var client = new ProcessClient(server.url(), Optional.empty())) {
      assertThatThrownBy(() -> client.closeStdin(7))
          .isInstanceOf(ApiException.class)
          .hasMessage("process with pid 7 not found")
          .extracting(e -> ((ApiException) e).code())
          .isEqualTo("not_found");
    }
  }
}
