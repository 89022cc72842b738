package dev.sandpiper.agent.rest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.http.HttpServer;
import dev.sandpiper.agent.http.HttpSettings;
import dev.sandpiper.agent.http.RawClient;
import dev.sandpiper.agent.http.Responses;
import dev.sandpiper.agent.http.Router;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

final class AwaitedTest {
  @Test
  void requestsWaitForWhatTheyNeedAndItsHandlersAreMadeOnce() throws IOException {
    Router router = new Router();
    AtomicInteger made = new AtomicInteger();
    Awaited<String> name = new Awaited<>();
    var routes =
        name.routes(value -> {
          made.incrementAndGet();
          return value + "!";
        });
    router.route(
        "GET", "/a", routes.on((text, exchange) -> Responses.text(exchange, 200, "a " + text)));
    router.route(
        "GET", "/b", routes.on((text, exchange) -> Responses.text(exchange, 200, "b " + text)));
    var settings = HttpSettings.at(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    try (HttpServer server = new HttpServer(settings, router)) {
      server.bind();
      try (var client = new RawClient(server.port());
          var gone = new RawClient(server.port())) {
        client.send("GET /a HTTP/1.1\nHost: x\n\n");
        gone.send("GET /a HTTP/1.1\nHost: x\n\n").close();
        name.set("there");
        assertThat(client.read().text()).isEqualTo("a there!\n");
        assertThat(client.send("GET /b HTTP/1.1\nHost: x\n\n").read().text())
            .isEqualTo("b there!\n");
      }
    }
    assertThat(made).hasValue(1);
  }
}
