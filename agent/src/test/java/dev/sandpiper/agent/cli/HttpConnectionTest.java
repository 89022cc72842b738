package dev.sandpiper.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sandpiper.agent.cli.ScriptedServer.Answer;
import java.io.EOFException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(20)
class HttpConnectionTest {
  private static final Duration LIMIT = Duration.ofSeconds(10);
  private static final String CHUNKED =
      String.join(
          "\r\n",
          "HTTP/1.1 200 OK",
          "Transfer-Encoding: chunked",
          "",
          "5",
          "hello",
          "1;ext=\"x\"",
          " ",
          "00A",
          "ten bytes!",
          "0",
          "X-Trailer: y",
          "",
          "");

  private static String ask(HttpConnection connection) throws IOException {
    var response = connection.send("POST", "/x", Map.of("A", "b"), new byte[] {1, 2}, LIMIT);
    return response.status()
        + " "
        + new String(response.body().readAllBytes(), StandardCharsets.ISO_8859_1);
  }

  private static String ask(ScriptedServer server) throws IOException {
    try (var connection = HttpConnection.open(server.url(), LIMIT)) {
      return ask(connection);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 5, 7, 11, 64, 10_000})
  void readsAnswersThatArriveInPieces(int pieceBytes) throws Exception {
    var sized = "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone";
    var empty = "HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n";
    try (var server =
            new ScriptedServer(
                Answer.of(CHUNKED).inPiecesOf(pieceBytes),
                Answer.of(sized).inPiecesOf(pieceBytes),
                Answer.of(empty).inPiecesOf(pieceBytes),
                Answer.of(CHUNKED).inPiecesOf(pieceBytes));
        var connection = HttpConnection.open(server.url(), LIMIT)) {
      assertThat(ask(connection)).isEqualTo("200 hello ten bytes!");
      assertThat(ask(connection)).isEqualTo("404 gone");
      assertThat(ask(connection)).isEqualTo("204 ");
      assertThat(ask(connection)).isEqualTo("200 hello ten bytes!");
      assertThat(connection.reusable()).isTrue();
      assertThat(server.connections()).isEqualTo(1);
    }
  }

  @Test
  void sendsOneWholeRequest() throws Exception {
    try (var server = new ScriptedServer(Answer.of(CHUNKED))) {
      ask(server);
      var request = server.request();
      assertThat(request.head())
          .isEqualTo(
              "POST /x HTTP/1.1\r\nHost: "
                  + server.url().authority()
                  + "\r\nA: b\r\nContent-Length: 2\r\n\r\n");
      assertThat(request.body().toByteArray()).containsExactly(1, 2);
    }
  }

  @Test
  void skipsInterimAnswers() throws Exception {
    var answer =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + CHUNKED;
    try (var server = new ScriptedServer(Answer.of(answer))) {
      assertThat(ask(server)).isEqualTo("200 hello ten bytes!");
    }
  }

  @Test
  void bodyWithoutLengthEndsWithTheConnection() throws Exception {
    try (var server =
            new ScriptedServer(Answer.of("HTTP/1.0 200 OK\r\n\r\nuntil the end").thenClose());
        var connection = HttpConnection.open(server.url(), LIMIT)) {
      assertThat(ask(connection)).isEqualTo("200 until the end");
      assertThat(connection.reusable()).isFalse();
    }
  }

  @Test
  void connectionIsNotUsedAgainWhenTheAgentSaysSo() throws Exception {
    var answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    try (var server = new ScriptedServer(Answer.of(answer));
        var connection = HttpConnection.open(server.url(), LIMIT)) {
      ask(connection);
      assertThat(connection.reusable()).isFalse();
    }
  }

  @Test
  void everyCutInAnAnswerIsNoticed() throws Exception {
    for (var length = 0; length < CHUNKED.length(); length++) {
      var cut = Answer.of(CHUNKED.substring(0, length)).thenClose();
      try (var server = new ScriptedServer(cut)) {
        assertThatThrownBy(() -> ask(server)).isInstanceOf(EOFException.class);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n"
      })
  void refusesWhatIsNoAnswer(String answer) throws Exception {
    try (var server = new ScriptedServer(Answer.of(answer).thenClose())) {
      assertThatThrownBy(() -> ask(server)).isInstanceOf(IOException.class);
    }
  }

  @Test
  void headWithoutEndIsBounded() throws Exception {
    var answer = "HTTP/1.1 200 OK\r\n" + "A: b\r\n".repeat(20_000);
    try (var server = new ScriptedServer(Answer.of(answer))) {
      assertThatThrownBy(() -> ask(server)).hasMessageContaining("longer than 65536 bytes");
    }
  }

  @Test
  void silenceIsBounded() throws Exception {
    try (var server = new ScriptedServer(Answer.of("HTTP/1.1 200 OK\r\n"));
        var connection = HttpConnection.open(server.url(), LIMIT)) {
      assertThatThrownBy(
              () -> connection.send("GET", "/", Map.of(), new byte[0], Duration.ofMillis(50)))
          .isInstanceOf(SocketTimeoutException.class);
    }
  }

  @Test
  void nobodyListens() {
    var tcpmux = AgentUrl.local(1); // not in the range of ports that are handed out
    assertThatThrownBy(() -> HttpConnection.open(tcpmux, LIMIT))
        .isInstanceOf(ConnectException.class);
  }
}
