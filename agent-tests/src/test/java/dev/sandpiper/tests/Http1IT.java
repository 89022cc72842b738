package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.Background;
import dev.sandpiper.tests.harness.Deadline;
import dev.sandpiper.tests.harness.FrameConnection;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.HttpConnection.Reply;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `Expect: 100-continue` and pipelined requests, which clients rarely send and proxies do.
final class Http1IT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  private static final String LIST = "/process.Process/List";
  private static final String START = "/process.Process/Start";
  private static final Map<String, String> JSON = Map.of("Content-Type", "application/json");
  private static final byte[] EMPTY = "{}".getBytes(StandardCharsets.UTF_8);

  @TempDir Path directory;

  private static HttpConnection expecting(
      String method, String path, String type, int length, String... more) {
    StringBuilder request = new StringBuilder();
    request.append(method).append(' ').append(path).append(" HTTP/1.1\r\nHost: localhost\r\n");
    request.append("Content-Type: ").append(type).append("\r\nContent-Length: ").append(length);
    request.append("\r\nExpect: 100-continue\r\n");
    for (String header : more) {
      request.append(header).append("\r\n");
    }
    return AGENT
        .get()
        .http()
        .write(request.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1));
  }

  private static int status(HttpConnection connection) throws TimeoutException {
    return connection.head(Deadline.in(Deadline.PATIENCE)).status();
  }

  @Test
  void continueIsSentWhenTheBodyIsWanted() throws TimeoutException {
    try (HttpConnection connection = expecting("POST", LIST, "application/json", 2)) {
      assertThat(status(connection)).isEqualTo(100);
      assertThat(connection.write(EMPTY).reply().status()).isEqualTo(200);
      assertThat(connection.send("GET", "/health", Map.of()).reply().status()).isEqualTo(204);
    }
    byte[] start = start("echo hi");
    try (HttpConnection connection =
        expecting("POST", START, "application/connect+json", start.length)) {
      assertThat(status(connection)).isEqualTo(100);
      Reply reply = connection.write(start).reply();
      assertThat(reply.status()).isEqualTo(200);
      assertThat(reply.text()).contains("\"stdout\":\"aGkK\"");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "POST, /nothing, application/json, 404",
    "PUT, /process.Process/List, application/json, 405",
    "POST, /process.Process/List, text/plain, 415",
    "POST, /health, application/json, 405"
  })
  void aRefusedRequestGetsItsAnswerAtOnce(String method, String path, String type, int expected)
      throws TimeoutException {
    try (HttpConnection connection = expecting(method, path, type, 1_000_000)) {
      Reply reply = connection.reply();
      assertThat(reply.status()).isEqualTo(expected);
      assertThat(reply.header("Connection")).as("the body may come or not").isEqualTo("close");
      assertThat(connection.closedByPeer(Deadline.in(Deadline.PATIENCE))).isTrue();
    }
  }

  @Test
  void anUnknownUserIsToldBeforeTheBody() {
    try (HttpConnection connection =
        expecting(
            "POST", LIST, "application/json", 2, "Authorization: Basic bm9ib2R5LWtub3dzLW1lOg==")) {
      assertThat(connection.reply().status()).isEqualTo(401);
    }
  }

  @Test
  void overHttp2ContinueIsAnInterimResponse() {
    try (FrameConnection connection = FrameConnection.to(AGENT.get().port())) {
      int wanted =
          connection.request(
              "POST",
              LIST,
              Map.of("content-type", "application/json", "expect", "100-continue"),
              false);
      FrameConnection.Frame interim =
          connection.await("100", frame -> frame.is(FrameConnection.HEADERS, wanted));
      assertThat(interim.headers()).containsEntry(":status", "100");
      assertThat(connection.data(wanted, EMPTY, true).reply(wanted).status()).isEqualTo(200);
      int refused =
          connection.request(
              "POST",
              "/nothing",
              Map.of("content-type", "application/json", "expect", "100-continue"),
              false);
      FrameConnection.Frame only =
          connection.await("404", frame -> frame.is(FrameConnection.HEADERS, refused));
      assertThat(only.headers()).containsEntry(":status", "404");
    }
  }

  private static byte[] start(String script) {
    byte[] json =
        ("{\"process\":{\"cmd\":\"sh\",\"args\":[\"-c\",\"" + script + "\"]},\"stdin\":false}")
            .getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(5 + json.length).put((byte) 0).putInt(json.length).put(json).array();
  }

  private HttpConnection behindASlowAnswer() {
    String script =
        "while [ ! -e '" + directory.resolve("go") + "' ]; do sleep 0.02; done; echo hi";
    return AGENT
        .get()
        .http()
        .send("POST", START, Map.of("Content-Type", "application/connect+json"), start(script));
  }

  private void go() {
    try {
      Files.createFile(directory.resolve("go"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void pipelinedRequestsAreAnsweredInOrderAlsoBehindASlowOne() {
    try (HttpConnection connection = behindASlowAnswer()) {
      for (int i = 0; i < 200; i++) {
        byte[] body = " ".repeat(i).concat("{}").getBytes(StandardCharsets.UTF_8);
        connection.send("POST", i % 2 == 0 ? LIST : "/nothing", JSON, body);
        connection.sendChunked("POST", LIST, Map.of("Content-Type", "text/plain"));
        connection.chunk(body).lastChunk();
        connection.send("GET", "/health", Map.of());
        connection.send(
            "POST", START, Map.of("Content-Type", "application/connect+json"), start("echo " + i));
        if (i == 100) {
          go();
        }
      }
      assertThat(connection.reply().text()).contains("\"stdout\":\"aGkK\"");
      for (int i = 0; i < 200; i++) {
        assertThat(connection.reply().status())
            .as("request " + i)
            .isEqualTo(i % 2 == 0 ? 200 : 404);
        assertThat(connection.reply().status()).isEqualTo(415);
        assertThat(connection.reply().status()).isEqualTo(204);
        String output =
            java.util.Base64.getEncoder()
                .encodeToString((i + "\n").getBytes(StandardCharsets.UTF_8));
        assertThat(connection.reply().text()).contains("\"stdout\":\"" + output + "\"");
      }
    }
  }

  /// Far more than fits into what is read ahead and the kernel's two buffers.
  @Test
  void pipelinedRequestsAreReadAheadToABound() {
    int total = 16 * 1024;
    byte[] body = " ".repeat(2046).concat("{}").getBytes(StandardCharsets.UTF_8);
    AtomicInteger sent = new AtomicInteger();
    try (HttpConnection connection = behindASlowAnswer()) {
      CompletableFuture<Void> writer =
          Background.run(() -> {
            for (int i = 0; i < total; i++) {
              connection.send("POST", LIST, JSON, body);
              sent.incrementAndGet();
            }
          });
      AtomicInteger before = new AtomicInteger(-1);
      await()
          .pollInterval(Duration.ofMillis(500))
          .atMost(Duration.ofSeconds(30))
          .until(() -> sent.get() == before.getAndSet(sent.get()));
      assertThat(writer).isNotDone();
      assertThat(sent.get()).as("of requests of 2 KiB").isLessThan(total / 2);
      go();
      assertThat(connection.reply().text()).contains("\"stdout\":\"aGkK\"");
      for (int i = 0; i < total; i++) {
        assertThat(connection.reply().status()).isEqualTo(200);
      }
      writer.join();
    }
  }
}
