package dev.sandpiper.agent.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class HttpServerTest {
  private static final int TOTAL = 32 * 1024 * 1024;

  private final Router router = new Router();
  private HttpServer server;

  @BeforeEach
  void start() throws IOException {
    var settings = HttpSettings.at(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    server = new HttpServer(settings, router);
    server.bind();
    router.route(
        "GET",
        "/health",
        exchange -> exchange.respond(204, Headers.of("cache-control", "no-store"), new byte[0]));
    router.route(
        "GET", "/hello", exchange -> Responses.text(exchange, 200, "hello " + exchange.query()));
    router.route("POST", "/echo", HttpServerTest::echo);
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private static void echo(HttpExchange exchange) {
    exchange.sendHead(200, new Headers());
    exchange.listen(
        new HttpExchange.Listener() {
          @Override
          public void onData(ByteBuf data) {
            exchange.write(exchange.newBuffer(data.readableBytes()).writeBytes(data));
            exchange.request();
          }

          @Override
          public void onEnd(Headers trailers) {
            exchange.end(trailers);
          }

          @Override
          public void onAborted() {}
        });
    exchange.request();
  }

  private RawClient connect() throws IOException {
    return new RawClient(server.port());
  }

  @Test
  void healthIsARouteOfOneLine() throws IOException {
    try (var client = connect()) {
      var response = client.send("GET /health HTTP/1.1\nHost: x\n\n").read();
      assertThat(response.status()).isEqualTo(204);
      assertThat(response.headers())
          .containsEntry("cache-control", "no-store")
          .doesNotContainKey("content-length");
    }
  }

  @Test
  void answersPipelinedRequestsInTheirOrder() throws IOException {
    try (var client = connect()) {
      var all = new StringBuilder();
      for (int i = 0; i < 50; i++) {
        all.append("GET /hello?").append(i).append(" HTTP/1.1\nHost: x\n\n");
        all.append("POST /echo HTTP/1.1\nHost: x\nContent-Length: 3\n\n")
            .append("%03d".formatted(i));
      }
      client.send(all.toString());
      for (int i = 0; i < 50; i++) {
        assertThat(client.read().text()).isEqualTo("hello " + i + "\n");
        assertThat(client.read().text()).isEqualTo("%03d".formatted(i));
      }
    }
  }

  @Test
  void bodiesCutAnywhereArriveWhole() throws IOException {
    byte[] request =
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n3\r\nefg\r\n0\r\nx-t: 1\r\n\r\n"
            .getBytes(StandardCharsets.US_ASCII);
    try (var client = connect()) {
      client.socket().setTcpNoDelay(true);
      for (int cut = 1; cut < request.length; cut++) {
        client.send(java.util.Arrays.copyOf(request, cut));
        client.send(java.util.Arrays.copyOfRange(request, cut, request.length));
        var response = client.read();
        assertThat(response.text()).isEqualTo("abcdefg");
        assertThat(response.trailers()).containsEntry("x-t", "1");
      }
    }
  }

  @Test
  void continueIsSentWhenTheBodyIsWanted() throws IOException {
    try (var client = connect()) {
      client.send("POST /echo HTTP/1.1\nHost: x\nContent-Length: 2\nExpect: 100-continue\n\n");
      // This handler answers before it reads, so the final head comes first and the connection ends
      // with the response.
      assertThat(client.readHead().headers()).containsEntry("connection", "close");
    }
    router.route(
        "POST",
        "/wants",
        exchange -> {
          exchange.listen(
              new HttpExchange.Listener() {
                @Override
                public void onData(ByteBuf data) {
                  exchange.request();
                }

                @Override
                public void onEnd(Headers trailers) {
                  Responses.text(exchange, 200, "got it");
                }

                @Override
                public void onAborted() {}
              });
          exchange.request();
        });
    try (var client = connect()) {
      client.send("POST /wants HTTP/1.1\nHost: x\nContent-Length: 2\nExpect: 100-continue\n\n");
      assertThat(client.read().status()).isEqualTo(100);
      assertThat(client.send("ok").read().text()).isEqualTo("got it\n");
    }
  }

  @Test
  void refusesWhatIsTooLongOrNoRequest() throws IOException {
    assertStatus("GET /" + "a".repeat(70_000) + " HTTP/1.1\nHost: x\n\n", 414);
    assertStatus("GET / HTTP/1.1\nHost: x\nA: " + "a".repeat(1_100_000) + "\n\n", 431);
    assertStatus("GET / HTTP/1.1\n\n", 400);
    assertStatus("nonsense\n\n", 400);
    assertStatus("GET / HTTP/3.0\nHost: x\n\n", 505);
  }

  private void assertStatus(String request, int status) throws IOException {
    try (var client = connect()) {
      assertThat(client.send(request).read().status()).isEqualTo(status);
    }
  }

  @Test
  void theConnectionEndsWhenTheClientSaysSoAndInHttp10() throws IOException {
    try (var client = connect()) {
      var response = client.send("GET /hello?1 HTTP/1.1\nHost: x\nConnection: close\n\n").read();
      assertThat(response.headers()).containsEntry("connection", "close");
      assertThat(client.in().read()).isEqualTo(-1);
    }
    try (var client = connect()) {
      var response = client.send("POST /echo HTTP/1.0\nContent-Length: 2\n\nok").read();
      assertThat(response.headers()).doesNotContainKey("transfer-encoding");
      assertThat(response.text()).isEqualTo("ok");
    }
  }

  @Test
  void unknownPathsAndMethodsAreToldApart() throws IOException {
    try (var client = connect()) {
      assertThat(client.send("GET /nothing HTTP/1.1\nHost: x\n\n").read().status()).isEqualTo(404);
      var wrong = client.send("POST /health HTTP/1.1\nHost: x\nContent-Length: 0\n\n").read();
      assertThat(wrong.status()).isEqualTo(405);
      assertThat(wrong.headers()).containsEntry("allow", "GET");
      assertThat(wrong.body()).isEmpty();
    }
  }

  @Test
  void aHandlerThatThrowsIsA500AndTheConnectionLives() throws IOException {
    router.route(
        "GET",
        "/broken",
        _ -> {
          throw new IllegalStateException("on purpose");
        });
    try (var client = connect()) {
      assertThat(client.send("GET /broken HTTP/1.1\nHost: x\n\n").read().status()).isEqualTo(500);
      assertThat(client.send("GET /health HTTP/1.1\nHost: x\n\n").read().status()).isEqualTo(204);
    }
  }

  /// Streams TOTAL bytes as fast as it is let, and says what happened.
  private static final class Stream implements HttpExchange.Listener {
    final CompletableFuture<Void> blocked = new CompletableFuture<>();
    final CountDownLatch aborted = new CountDownLatch(1);
    final AtomicLong written = new AtomicLong();
    private final HttpExchange exchange;

    Stream(HttpExchange exchange) {
      this.exchange = exchange;
    }

    void begin() {
      exchange.listen(this);
      exchange.sendHead(200, new Headers());
      onWritable();
    }

    @Override
    public void onWritable() {
      while (written.get() < TOTAL && exchange.isWritable()) {
        int bytes = 32 * 1024;
        exchange.write(exchange.newBuffer(bytes).writeZero(bytes));
        written.addAndGet(bytes);
      }
      if (written.get() == TOTAL) {
        exchange.end();
      } else {
        blocked.complete(null);
      }
    }

    @Override
    public void onData(ByteBuf data) {}

    @Override
    public void onEnd(Headers trailers) {}

    @Override
    public void onAborted() {
      aborted.countDown();
    }
  }

  private CompletableFuture<Stream> streamAt(String path) {
    var started = new CompletableFuture<Stream>();
    router.route(
        "GET",
        path,
        exchange -> {
          Stream stream = new Stream(exchange);
          stream.begin();
          started.complete(stream);
        });
    return started;
  }

  @Test
  void aReaderThatPausesHoldsTheWriterAndLosesNothing() throws Exception {
    var started = streamAt("/stream");
    try (var client = new RawClient(server.port(), 64 * 1024)) {
      client.send("GET /stream HTTP/1.1\nHost: x\n\n");
      Stream stream = started.get(60, TimeUnit.SECONDS);
      stream.blocked.get(60, TimeUnit.SECONDS);
      // The high water mark, one piece, and what the kernel's two buffers take.
      assertThat(stream.written.get()).isLessThan(10 * 1024 * 1024);
      assertThat(client.read().body()).hasSize(TOTAL);
    }
  }

  @Test
  void aClientThatGoesIsNoticedAtOnceWhileAResponseStreams() throws Exception {
    var started = streamAt("/stream");
    Stream stream;
    try (var client = connect()) {
      client.send("GET /stream HTTP/1.1\nHost: x\n\n");
      stream = started.get(60, TimeUnit.SECONDS);
      stream.blocked.get(60, TimeUnit.SECONDS);
    }
    long gone = System.nanoTime();
    assertThat(stream.aborted.await(60, TimeUnit.SECONDS)).isTrue();
    assertThat(Duration.ofNanos(System.nanoTime() - gone)).isLessThan(Duration.ofSeconds(20));
  }

  @Test
  void aHalfClosedClientGetsAnAnswerThatIsNotStreamed() throws Exception {
    var waiting = new CompletableFuture<HttpExchange>();
    router.route(
        "GET",
        "/later",
        exchange -> {
          exchange.listen(
              new HttpExchange.Listener() {
                @Override
                public void onData(ByteBuf data) {}

                @Override
                public void onEnd(Headers trailers) {}

                @Override
                public void onAborted() {}
              });
          waiting.complete(exchange);
        });
    try (var client = connect()) {
      client.send("GET /later HTTP/1.1\nHost: x\n\n");
      client.socket().shutdownOutput();
      HttpExchange exchange = waiting.get(60, TimeUnit.SECONDS);
      exchange.eventLoop().execute(() -> Responses.text(exchange, 200, "still here"));
      assertThat(client.read().text()).isEqualTo("still here\n");
      assertThat(client.in().read()).isEqualTo(-1);
    }
  }

  @Test
  void aLargeFileIsSentInTurnsAndReleasedOnce(@TempDir Path directory) throws Exception {
    byte[] content = new byte[3 * 1024 * 1024 + 17];
    new java.util.Random(8).nextBytes(content);
    var releases = new AtomicLong();
    try (FileChannel file = FileChannel.open(Files.write(directory.resolve("file"), content))) {
      HttpHandler whole =
          exchange -> {
            Headers headers = new Headers();
            if (exchange.path().equals("/sized")) {
              headers.add("content-length", Integer.toString(content.length - 3));
            }
            exchange.sendHead(200, headers);
            exchange.writeFile(null, file, 3, content.length - 3, releases::incrementAndGet);
            exchange.end();
          };
      router.route("GET", "/sized", whole).route("GET", "/chunked", whole);
      try (var client = connect()) {
        for (String path : List.of("/sized", "/chunked", "/sized")) {
          byte[] body = client.send("GET " + path + " HTTP/1.1\nHost: x\n\n").read().body();
          assertThat(body).isEqualTo(java.util.Arrays.copyOfRange(content, 3, content.length));
        }
      }
      assertThat(releases.get()).isEqualTo(3);
    }
  }

  @Test
  void filesAreSentFromThePageCacheInTheirPlace(@TempDir Path directory) throws Exception {
    byte[] content = new byte[3 * 1024 * 1024];
    new java.util.Random(7).nextBytes(content);
    Path path = Files.write(directory.resolve("file"), content);
    var releases = new AtomicLong();
    try (FileChannel file = FileChannel.open(path)) {
      router.route(
          "GET",
          "/file",
          exchange -> {
            exchange.sendHead(200, new Headers());
            for (int at = 0; at < content.length; at += 64 * 1024) {
              exchange.writeFile(
                  exchange.newBuffer(2).writeByte('<').writeByte('>'),
                  file,
                  at,
                  64 * 1024,
                  releases::incrementAndGet);
            }
            exchange.end();
          });
      try (var client = connect()) {
        for (int round = 0; round < 2; round++) {
          byte[] body = client.send("GET /file HTTP/1.1\nHost: x\n\n").read().body();
          assertThat(body).hasSize(content.length + 2 * 48);
          for (int i = 0; i < 48; i++) {
            int at = i * (64 * 1024 + 2);
            assertThat(body[at]).isEqualTo((byte) '<');
            assertThat(
                    java.util.Arrays.mismatch(
                        body, at + 2, at + 2 + 65536, content, i * 65536, (i + 1) * 65536))
                .isEqualTo(-1);
          }
        }
        assertThat(releases.get()).isEqualTo(96);
      }
    }
  }

  @Test
  void aBodyThatNobodyReadsDoesNotReachTheNextRequest() throws IOException {
    router.route("POST", "/ignores", exchange -> Responses.text(exchange, 200, "no thanks"));
    try (var client = connect()) {
      client.send("POST /ignores HTTP/1.1\nHost: x\nContent-Length: 100000\n\n");
      assertThat(client.read().text()).isEqualTo("no thanks\n");
      client.send(new byte[100_000]);
      assertThat(client.send("GET /health HTTP/1.1\nHost: x\n\n").read().status()).isEqualTo(204);
      var closing =
          client.send("POST /ignores HTTP/1.1\nHost: x\nContent-Length: 100000000\n\n").read();
      assertThat(closing.headers()).containsEntry("connection", "close");
    }
  }

  @Test
  void closeLetsARunningRequestEndAndThenRefusesConnections() throws Exception {
    var started = streamAt("/stream");
    try (var client = connect()) {
      client.send("GET /stream HTTP/1.1\nHost: x\n\n");
      started.get(60, TimeUnit.SECONDS).blocked.get(60, TimeUnit.SECONDS);
      var closing = CompletableFuture.runAsync(server::close);
      assertThat(client.read().body()).hasSize(TOTAL);
      assertThat(client.in().read()).isEqualTo(-1);
      closing.get(60, TimeUnit.SECONDS);
      assertThatThrownBy(this::connect).isInstanceOf(IOException.class);
    }
  }

  @Test
  void aPortThatIsTakenIsNamed() {
    var taken =
        new HttpServer(
            HttpSettings.at(new InetSocketAddress(InetAddress.getLoopbackAddress(), server.port())),
            router);
    assertThatThrownBy(taken::bind)
        .isInstanceOf(IOException.class)
        .hasMessageContaining(Integer.toString(server.port()));
  }

  @Test
  void anIdleConnectionIsClosed() throws Exception {
    var defaults = HttpSettings.at(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    var settings =
        new HttpSettings(
            defaults.addresses(),
            1,
            8192,
            8192,
            Duration.ofMillis(200),
            Duration.ofSeconds(1),
            10,
            1024,
            4096,
            null);
    try (var other = new HttpServer(settings, router)) {
      other.bind();
      try (var silent = new RawClient(other.port());
          var idle = new RawClient(other.port())) {
        assertThat(idle.send("GET /health HTTP/1.1\nHost: x\n\n").read().status()).isEqualTo(204);
        assertThat(idle.in().read()).isEqualTo(-1);
        assertThat(silent.in().read()).isEqualTo(-1);
      }
    }
  }

  @Test
  void aClientThatTakesNothingIsGivenUp() throws Exception {
    var defaults = HttpSettings.at(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    var settings =
        new HttpSettings(
            defaults.addresses(),
            1,
            8192,
            8192,
            Duration.ofMillis(300),
            Duration.ofSeconds(1),
            10,
            1024,
            4096,
            null);
    var started = streamAt("/stream");
    try (var other = new HttpServer(settings, router)) {
      other.bind();
      try (var client = new RawClient(other.port(), 4096)) {
        client.send("GET /stream HTTP/1.1\nHost: x\n\n");
        assertThat(started.get(60, TimeUnit.SECONDS).aborted.await(60, TimeUnit.SECONDS)).isTrue();
      }
    }
  }

  @Test
  void corsIsAnsweredBeforeAnythingElse() throws IOException {
    router.filter(new CorsFilter(() -> true));
    try (var client = connect()) {
      var preflight =
          client
              .send(
                  """
                  OPTIONS /hello HTTP/1.1
                  Host: x
                  Origin: http://a
                  Access-Control-Request-Method: GET
                  Access-Control-Request-Headers: x-a, x-b

                  """)
              .read();
      assertThat(preflight.status()).isEqualTo(204);
      assertThat(preflight.headers())
          .containsEntry("access-control-allow-origin", "*")
          .containsEntry("access-control-allow-methods", "GET")
          .containsEntry("access-control-allow-headers", "x-a, x-b")
          .containsEntry("access-control-max-age", "7200")
          .containsEntry(
              "vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
      var bare =
          client.send("OPTIONS / HTTP/1.1\nHost: x\nAccess-Control-Request-Method: GET\n\n").read();
      assertThat(bare.status()).isEqualTo(204);
      assertThat(bare.headers()).doesNotContainKey("access-control-allow-origin");
      var actual = client.send("GET /nothing HTTP/1.1\nHost: x\nOrigin: http://a\n\n").read();
      assertThat(actual.status()).isEqualTo(404);
      assertThat(actual.headers())
          .containsEntry("vary", "Origin")
          .containsEntry("access-control-allow-origin", "*");
      assertThat(client.send("OPTIONS /health HTTP/1.1\nHost: x\n\n").read().status())
          .isEqualTo(405);
    }
  }

  @Test
  void anUpgradedConnectionBelongsToItsNewOwner() throws IOException {
    router.route(
        "GET",
        "/raw",
        exchange ->
            exchange.listen(
                new HttpExchange.Listener() {
                  @Override
                  public void onData(ByteBuf data) {}

                  @Override
                  public void onEnd(Headers trailers) {
                    boolean upgraded =
                        exchange.upgrade(
                            Headers.of("connection", "upgrade", "upgrade", "raw"),
                            channel ->
                                channel
                                    .pipeline()
                                    .addLast(
                                        new io.netty.channel.ChannelInboundHandlerAdapter() {
                                          @Override
                                          public void channelRead(
                                              io.netty.channel.ChannelHandlerContext ctx,
                                              Object message) {
                                            var _ = ctx.writeAndFlush(message);
                                          }
                                        }));
                    assertThat(upgraded).isTrue();
                  }

                  @Override
                  public void onAborted() {}
                }));
    try (var client = connect()) {
      client.send("GET /raw HTTP/1.1\nHost: x\nConnection: upgrade\nUpgrade: raw\n\n");
      assertThat(client.read().status()).isEqualTo(101);
      client.send("echo\n");
      assertThat(client.line()).isEqualTo("echo");
    }
  }

  @Test
  void aBodyThatIsNotAsLongAsPromisedDoesNotLookComplete() {
    for (int written : new int[] {2, 4}) {
      router.route(
          "GET",
          "/promised" + written,
          exchange -> {
            exchange.sendHead(200, Headers.of("content-length", "3"));
            exchange.write(exchange.newBuffer(written).writeZero(written));
            exchange.end();
          });
      assertThatThrownBy(
              () -> {
                try (var client = connect()) {
                  client.send("GET /promised" + written + " HTTP/1.1\nHost: x\n\n").readHead();
                  if (client.in().readNBytes(3).length < 3 || client.in().read() < 0) {
                    throw new EOFException();
                  }
                }
              })
          .isInstanceOfAny(EOFException.class, java.net.SocketException.class);
    }
  }

  @Test
  void aStreamThatIsBrokenOffDoesNotLookComplete() throws IOException {
    router.route(
        "GET",
        "/broken",
        exchange -> {
          exchange.sendHead(200, new Headers());
          exchange.write(exchange.newBuffer(3).writeZero(3));
          exchange.eventLoop().execute(exchange::abort);
        });
    try (var client = connect()) {
      client.send("GET /broken HTTP/1.1\nHost: x\n\n");
      assertThatThrownBy(client::read)
          .isInstanceOfAny(EOFException.class, java.net.SocketException.class);
    }
  }
}
