package dev.sandpiper.agent.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

final class AfterRequestsTest {
  private final Semaphore done = new Semaphore(0);

  @Test
  void worksAfterTheFirstRequestAndThenOnceForManyMore() throws Exception {
    Router router = new Router();
    router.route("GET", "/health", exchange -> Responses.text(exchange, 200, "healthy"));
    var settings = HttpSettings.at(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    try (var server = new HttpServer(settings, new AfterRequests(router, 20, done::release))) {
      server.bind();
      try (var client = new RawClient(server.port())) {
        ask(client, 1);
        assertThat(done.tryAcquire(10, TimeUnit.SECONDS)).isTrue();

        ask(client, 499);
        assertThat(done.tryAcquire(100, TimeUnit.MILLISECONDS)).isFalse();

        ask(client, 1);
        assertThat(done.tryAcquire(10, TimeUnit.SECONDS)).isTrue();
      }
    }
  }

  private static void ask(RawClient client, int times) throws Exception {
    for (int i = 0; i < times; i++) {
      assertThat(client.send("GET /health HTTP/1.1\nHost: x\n\n").read().status()).isEqualTo(200);
    }
  }
}
