package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.HttpConnection.Reply;
import dev.sandpiper.tests.harness.Json;
import dev.sandpiper.tests.harness.Processes;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.reflection.v1.ServiceResponse;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What goes over the wire around the messages, byte by byte.
final class TransportIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  private static final String LIST = "/process.Process/List";
  private static final String START = "/process.Process/Start";
  private static final String CONNECT_JSON = "application/connect+json";

  private static Reply request(
      String method, String path, Map<String, String> headers, byte[] body) {
    try (HttpConnection connection = AGENT.get().http()) {
      return connection.send(method, path, headers, body).reply();
    }
  }

  private static Reply request(String method, String path, String... headers) {
    try (HttpConnection connection = AGENT.get().http()) {
      return connection.send(method, path, map(headers)).reply();
    }
  }

  private static Map<String, String> map(String... pairs) {
    Map<String, String> map = new LinkedHashMap<>();
    for (int i = 0; i < pairs.length; i += 2) {
      map.put(pairs[i], pairs[i + 1]);
    }
    return map;
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static Reply unary(String path, String json, String... headers) {
    Map<String, String> all = new LinkedHashMap<>(Map.of("Content-Type", "application/json"));
    all.putAll(map(headers));
    return request("POST", path, all, utf8(json));
  }

  private static byte[] envelope(int flags, byte[] payload) {
    return ByteBuffer.allocate(5 + payload.length)
        .put((byte) flags)
        .putInt(payload.length)
        .put(payload)
        .array();
  }

  private static byte[] join(byte[]... parts) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      out.writeBytes(part);
    }
    return out.toByteArray();
  }

  /// Envelopes of a whole body: flags and payload.
  private record Part(int flags, ByteString payload) {
    Json json() {
      return Json.parse(payload.toByteArray());
    }
  }

  private static List<Part> parts(Reply reply) {
    List<Part> parts = new ArrayList<>();
    ByteBuffer body = reply.body().asReadOnlyByteBuffer();
    while (body.hasRemaining()) {
      int flags = body.get();
      byte[] payload = new byte[body.getInt()];
      body.get(payload);
      parts.add(new Part(flags, ByteString.copyFrom(payload)));
    }
    return parts;
  }

  private static Reply stream(String path, byte[] body, String... headers) {
    Map<String, String> all = new LinkedHashMap<>(Map.of("Content-Type", CONNECT_JSON));
    all.putAll(map(headers));
    return request("POST", path, all, body);
  }

  private static Json onlyError(Reply reply) {
    assertThat(reply.status()).isEqualTo(200);
    List<Part> parts = parts(reply);
    assertThat(parts).hasSize(1);
    assertThat(parts.getFirst().flags()).isEqualTo(2);
    return parts.getFirst().json().get("error");
  }

  private static byte[] gzip(byte[] plain) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (GZIPOutputStream zip = new GZIPOutputStream(out)) {
      zip.write(plain);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  private static byte[] gunzip(ByteString zipped) {
    try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(zipped.toByteArray()))) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static final String ECHO =
      "{\"process\":{\"cmd\":\"/bin/sh\",\"args\":[\"-c\",\"echo hi; exit 2\"]},\"stdin\":false}";

  @Test
  void healthIs204WithoutABody() {
    Reply reply = request("GET", "/health");
    assertThat(reply.status()).isEqualTo(204);
    assertThat(reply.body()).isEmpty();
    assertThat(reply.header("Cache-Control")).isEqualTo("no-store");
    assertThat(reply.header("X-Sandpiper-Version")).matches("\\d+\\.\\d+\\.\\d+.*");
  }

  @Test
  void aPathThatIsNotThereIs404InPlainText() {
    for (String path : List.of("/", "/nothing", "/process.Process/Nothing", "/no.Service/List")) {
      for (String method : List.of("POST", "GET")) {
        Reply reply = request(method, path, Map.of("Content-Type", "application/json"), utf8("{}"));
        assertThat(reply.status()).as(method + " " + path).isEqualTo(404);
        assertThat(reply.header("Content-Type")).startsWith("text/plain");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"GET", "PUT", "DELETE", "HEAD", "PATCH"})
  void aCallIsAPost(String method) {
    Reply reply = request(method, LIST);
    assertThat(reply.status()).isEqualTo(405);
    assertThat(reply.header("Allow")).isEqualTo("POST");
  }

  @Test
  void aKnownPathAnswersTheWrongVerbWithAllow() {
    Reply reply = request("POST", "/health", Map.of(), new byte[0]);
    assertThat(reply.status()).isEqualTo(405);
    assertThat(reply.header("Allow")).contains("GET");
    assertThat(reply.body()).isEmpty();
  }

  @Test
  void anUnknownContentTypeIs415WithWhatIsSupported() {
    for (String type : List.of("text/plain", "application/xml", "application/connect+xml")) {
      Reply reply = request("POST", LIST, Map.of("Content-Type", type), utf8("{}"));
      assertThat(reply.status()).as(type).isEqualTo(415);
      assertThat(reply.header("Accept-Post")).contains("application/json", "application/proto");
    }
    Reply none = request("POST", LIST, Map.of(), utf8("{}"));
    assertThat(none.status()).isEqualTo(415);
  }

  @Test
  void aCharsetBehindTheContentTypeIsAccepted() {
    assertThat(unary(LIST, "{}", "Content-Type", "application/json; charset=utf-8").status())
        .isEqualTo(200);
    assertThat(unary(LIST, "{}", "Content-Type", "application/json;charset=UTF-8").status())
        .isEqualTo(200);
  }

  @Test
  void theEventsOfAStreamAreTheDocumentedJson() {
    Reply reply = stream(START, envelope(0, utf8(ECHO)));

    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.header("Content-Type")).isEqualTo(CONNECT_JSON);
    List<Part> parts = parts(reply);
    assertThat(parts.stream().map(Part::flags)).containsExactly(0, 0, 0, 2);
    assertThat(parts.get(0).json().get("event").get("start").number("pid")).isPositive();
    assertThat(parts.get(1).json())
        .isEqualTo(Json.parse("{\"event\":{\"data\":{\"stdout\":\"aGkK\"}}}"));
    assertThat(parts.get(2).json())
        .isEqualTo(
            Json.parse(
                "{\"event\":{\"end\":{\"exitCode\":2,\"exited\":true,"
                    + "\"status\":\"exit status 2\",\"error\":\"exit status 2\"}}}"));
    assertThat(parts.get(3).json()).isEqualTo(Json.parse("{}"));
  }

  @Test
  void valuesAtTheirDefaultAreLeftOut() {
    List<Part> parts = parts(stream(START, envelope(0, utf8("{\"process\":{\"cmd\":\"true\"}}"))));
    assertThat(parts.get(1).json())
        .isEqualTo(
            Json.parse("{\"event\":{\"end\":{\"exited\":true,\"status\":\"exit status 0\"}}}"));
    assertThat(unary(LIST, "{}").json()).isEqualTo(Json.parse("{}"));
  }

  @Test
  void bothSpellingsAndUnknownFieldsAreRead() {
    String request =
        "{\"process\":{\"cmd\":\"/bin/sh\",\"args\":[\"-c\",\"echo $A\"],\"envs\":{\"A\":\"b\"},"
            + "\"unknown\":[1,{\"x\":null}]},\"stdin\":false,\"alsoUnknown\":1}";
    assertThat(parts(stream(START, envelope(0, utf8(request)))).get(1).json())
        .isEqualTo(Json.parse("{\"event\":{\"data\":{\"stdout\":\"Ygo=\"}}}"));
  }

  @Test
  void anEmptyBodyIsAMessageInBinaryOnly() {
    Reply json = unary(LIST, "");
    assertThat(json.status()).isEqualTo(400);
    assertThat(json.json().string("code")).isEqualTo("invalid_argument");
    Reply binary = request("POST", LIST, Map.of("Content-Type", "application/proto"), new byte[0]);
    assertThat(binary.status()).isEqualTo(200);
    assertThat(binary.header("Content-Type")).isEqualTo("application/proto");
  }

  @Test
  void bodiesThatAreNoMessageAreInvalid() {
    for (String body :
        List.of(
            "{", "[]", "null!", "{\"a\":1}}", "{\"process\":1}", "{\"process\":{\"pid\":-1}}")) {
      Reply reply = unary("/process.Process/CloseStdin", body);
      assertThat(reply.status()).as(body).isEqualTo(400);
      assertThat(reply.json().string("code")).isEqualTo("invalid_argument");
      assertThat(reply.header("Content-Type")).isEqualTo("application/json");
    }
    Reply twice = unary("/process.Process/CloseStdin", "{\"process\":{\"pid\":1,\"tag\":\"x\"}}");
    assertThat(twice.json().string("code")).as("two of a oneof").isEqualTo("invalid_argument");
  }

  @Test
  void anErrorOfABinaryCallIsJsonWithTheStatusOfItsCode() {
    Reply reply =
        request(
            "POST",
            "/process.Process/CloseStdin",
            Map.of("Content-Type", "application/proto"),
            // CloseStdinRequest{process{tag: "nobody"}}
            new byte[] {0x0a, 8, 0x12, 6, 'n', 'o', 'b', 'o', 'd', 'y'});
    assertThat(reply.status()).isEqualTo(404);
    assertThat(reply.header("Content-Type")).isEqualTo("application/json");
    assertThat(reply.json())
        .isEqualTo(
            Json.parse(
                "{\"code\":\"not_found\",\"message\":\"process with tag nobody not found\"}"));
  }

  @Test
  void aServerStreamTakesExactlyOneMessage() {
    byte[] one = envelope(0, utf8(ECHO));
    assertThat(onlyError(stream(START, new byte[0])).string("code")).isEqualTo("unimplemented");
    assertThat(onlyError(stream(START, join(one, one))).string("code")).isEqualTo("unimplemented");
  }

  @Test
  void anotherProtocolVersionIsInvalid() {
    Reply unary = unary(LIST, "{}", "Connect-Protocol-Version", "2");
    assertThat(unary.status()).isEqualTo(400);
    assertThat(unary.json().string("code")).isEqualTo("invalid_argument");
    assertThat(
            onlyError(stream(START, envelope(0, utf8(ECHO)), "Connect-Protocol-Version", "2"))
                .string("code"))
        .isEqualTo("invalid_argument");
    assertThat(unary(LIST, "{}", "Connect-Protocol-Version", "1").status()).isEqualTo(200);
  }

  @Test
  void unaryBodiesMayBeGzippedBothWays() {
    try (Follower run =
        AGENT.get().json().start(Command.of("sleep", "600").env("LONG", "x".repeat(5000)))) {
      run.pid();
      Reply asked = unary(LIST, "{}", "Accept-Encoding", "gzip");
      assertThat(asked.header("Content-Encoding")).isEqualTo("gzip");
      assertThat(Json.parse(gunzip(asked.body())).get("processes").array()).hasSize(1);

      Reply sent =
          request(
              "POST",
              LIST,
              Map.of("Content-Type", "application/json", "Content-Encoding", "gzip"),
              gzip(utf8("{}")));
      assertThat(sent.status()).isEqualTo(200);
      byte[] body =
          sent.header("Content-Encoding").equals("gzip")
              ? gunzip(sent.body())
              : sent.body().toByteArray();
      assertThat(Json.parse(body).get("processes").array()).hasSize(1);

      Reply plain = unary(LIST, "{}");
      assertThat(plain.header("Content-Encoding")).isEmpty();
      AGENT.get().json().kill(run.pid());
      run.end();
    }
  }

  @Test
  void anUnknownCompressionIsUnimplemented() {
    Reply unary =
        request(
            "POST",
            LIST,
            Map.of("Content-Type", "application/json", "Content-Encoding", "br"),
            utf8("{}"));
    assertThat(unary.json().string("code")).isEqualTo("unimplemented");
    assertThat(
            onlyError(stream(START, envelope(1, utf8(ECHO)), "Connect-Content-Encoding", "zstd"))
                .string("code"))
        .isEqualTo("unimplemented");
    assertThat(unary(LIST, "{}", "Accept-Encoding", "br, zstd").status()).isEqualTo(200);
  }

  @Test
  void streamsMayBeGzippedBothWays() {
    String request =
        "{\"process\":{\"cmd\":\"/bin/sh\",\"args\":[\"-c\",\"seq 1 20000\"]},\"stdin\":false}";
    Reply reply =
        stream(
            START,
            envelope(1, gzip(utf8(request))),
            "Connect-Content-Encoding",
            "gzip",
            "Connect-Accept-Encoding",
            "gzip");
    assertThat(reply.status()).isEqualTo(200);
    StringBuilder output = new StringBuilder();
    for (Part part : parts(reply)) {
      Json json =
          Json.parse(
              (part.flags() & 1) == 1 ? gunzip(part.payload()) : part.payload().toByteArray());
      if ((part.flags() & 2) == 0 && json.get("event").has("data")) {
        output.append(
            new String(
                java.util.Base64.getDecoder()
                    .decode(json.get("event").get("data").string("stdout")),
                StandardCharsets.UTF_8));
      }
    }
    assertThat(output.toString().lines().toList()).hasSize(20_000).endsWith("20000");
  }

  @Test
  void anUnknownUserIsUnauthenticated() {
    // nobody-knows-me:
    String basic = "Basic bm9ib2R5LWtub3dzLW1lOg==";
    Reply unary = unary(LIST, "{}", "Authorization", basic);
    assertThat(unary.status()).isEqualTo(401);
    assertThat(unary.json().string("code")).isEqualTo("unauthenticated");
    assertThat(unary.json().string("message")).isEqualTo("invalid username: 'nobody-knows-me'");
    assertThat(
            onlyError(stream(START, envelope(0, utf8(ECHO)), "Authorization", basic))
                .string("code"))
        .isEqualTo("unauthenticated");
    assertThat(unary(LIST, "{}", "Authorization", "Bearer x").status()).isEqualTo(200);
  }

  @Test
  void oneConnectionServesManyRequestsAlsoPipelined() {
    try (HttpConnection connection = AGENT.get().http()) {
      Map<String, String> headers = Map.of("Content-Type", "application/json");
      for (int i = 0; i < 3; i++) {
        assertThat(connection.send("POST", LIST, headers, utf8("{}")).reply().status())
            .isEqualTo(200);
        assertThat(connection.send("GET", "/health", Map.of()).reply().status()).isEqualTo(204);
        assertThat(
                parts(
                    connection
                        .send(
                            "POST",
                            START,
                            Map.of("Content-Type", CONNECT_JSON),
                            envelope(0, utf8(ECHO)))
                        .reply()))
            .hasSize(4);
      }
      connection.send("POST", LIST, headers, utf8("{}"));
      connection.send("GET", "/health", Map.of());
      connection.send("POST", "/nothing", headers, utf8("{}"));
      assertThat(connection.reply().status()).isEqualTo(200);
      assertThat(connection.reply().status()).isEqualTo(204);
      assertThat(connection.reply().status()).isEqualTo(404);
    }
  }

  @Test
  void aRequestMayComeInChunksOfAnySize() {
    byte[] body = envelope(0, utf8(ECHO));
    try (HttpConnection connection = AGENT.get().http()) {
      connection.sendChunked("POST", START, Map.of("Content-Type", CONNECT_JSON));
      for (byte one : body) {
        connection.chunk(new byte[] {one});
      }
      connection.lastChunk();
      assertThat(parts(connection.reply())).hasSize(4);
    }
  }

  @Test
  void hostileRequestsHarmNobody() {
    List<String> hostile =
        List.of(
            "\r\n\r\n",
            "NONSENSE\r\n\r\n",
            "POST "
                + START
                + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                + CONNECT_JSON
                + "\r\nContent-Length: 5\r\n\r\n\0\u007f\u007f\u007f\u007f",
            "POST " + LIST + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
            "POST "
                + LIST
                + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "GET /health HTTP/1.1\r\nHost: localhost\r\nA: " + "x".repeat(3 << 20) + "\r\n\r\n",
            "GET /" + "x".repeat(3 << 20) + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a frame at all, by no means, never",
            "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003");
    for (String text : hostile) {
      try (HttpConnection connection = AGENT.get().http()) {
        connection.write(text.getBytes(StandardCharsets.ISO_8859_1));
      } catch (UncheckedIOException e) {
        // Cut off while it was still talking.
      }
    }
    assertThat(request("GET", "/health").status()).isEqualTo(204);
    assertThat(AGENT.get().json().run(Command.of("true")).end().exitCode()).isZero();
  }

  @Test
  void aMessageThatIsTooLongIsRefusedByItsPrefix() {
    byte[] prefix = {0, 0x7f, 0x7f, 0x7f, 0x7f};
    Json error = onlyError(stream(START, prefix));
    assertThat(error.string("code")).isIn("resource_exhausted", "invalid_argument");
  }

  @Test
  void grpcHealthIsServed() {
    assertThat(
            HealthGrpc.newBlockingStub(AGENT.get().grpcClient().channel())
                .withDeadlineAfter(10, TimeUnit.SECONDS)
                .check(HealthCheckRequest.getDefaultInstance())
                .getStatus())
        .isEqualTo(ServingStatus.SERVING);
  }

  @Test
  void reflectionListsTheServices() {
    CompletableFuture<ServerReflectionResponse> answer = new CompletableFuture<>();
    StreamObserver<ServerReflectionRequest> requests =
        ServerReflectionGrpc.newStub(AGENT.get().grpcClient().channel())
            .serverReflectionInfo(
                new StreamObserver<>() {
                  @Override
                  public void onNext(ServerReflectionResponse value) {
                    answer.complete(value);
                  }

                  @Override
                  public void onError(Throwable t) {
                    answer.completeExceptionally(t);
                  }

                  @Override
                  public void onCompleted() {
                    answer.completeExceptionally(new AssertionError("no answer"));
                  }
                });
    requests.onNext(ServerReflectionRequest.newBuilder().setListServices("").build());
    List<String> services =
        answer
            .orTimeout(10, TimeUnit.SECONDS)
            .join()
            .getListServicesResponse()
            .getServiceList()
            .stream()
            .map(ServiceResponse::getName)
            .toList();
    requests.onCompleted();
    assertThat(services)
        .contains("process.Process", "grpc.health.v1.Health")
        .anyMatch(name -> name.startsWith("grpc.reflection."));
  }

  /// The same port at the same time, HTTP/1.1 and cleartext HTTP/2.
  @Test
  void bothVersionsOfHttpShareThePort() {
    Processes one = AGENT.get().json();
    Processes two = AGENT.get().grpc();
    try (Follower first = one.start(Command.of("cat").stdin());
        Follower second = two.connect(first.pid())) {
      second.pid();
      two.sendStdin(first.pid(), "over HTTP/2\n");
      first.await("stdout", "over HTTP/2\n");
      one.sendStdin(first.pid(), "over HTTP/1.1\n");
      second.await("stdout", "over HTTP/1.1\n");
      two.closeStdin(first.pid());
      assertThat(second.end()).isEqualTo(first.end());
    }
  }
}
