package dev.sandpiper.agent.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class StartGateTest {
  private final Router router = new Router();
  private final CountDownLatch asked = new CountDownLatch(1);
  private final StartGate gate =
      new StartGate(
          router,
          exchange -> {
            if (exchange.path().equals("/later")) {
              asked.countDown();
            }
            return exchange.path().equals("/health");
          });
  private HttpServer server;

  @BeforeEach
  void start() throws IOException {
    var settings = HttpSettings.at(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    server = new HttpServer(settings, gate);
    server.bind();
    router.route("GET", "/health", exchange -> Responses.text(exchange, 200, "healthy"));
  }

  @AfterEach
  void stop() {
    server.close();
  }

  @Test
  void aRequestWaitsForItsRouteWhileOthersAreAnswered() throws Exception {
    try (var early = new RawClient(server.port());
        var health = new RawClient(server.port())) {
      early.send("GET /later HTTP/1.1\nHost: x\n\n");
      asked.await();
      assertThat(health.send("GET /health HTTP/1.1\nHost: x\n\n").read().status()).isEqualTo(200);
      assertThat(early.in().available()).isZero();

      router.route("GET", "/later", exchange -> Responses.text(exchange, 200, "it is there"));
      gate.open();

      assertThat(early.read().text()).isEqualTo("it is there\n");
      assertThat(early.send("GET /later HTTP/1.1\nHost: x\n\n").read().status()).isEqualTo(200);
    }
  }
}
