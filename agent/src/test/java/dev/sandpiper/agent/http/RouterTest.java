package dev.sandpiper.agent.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class RouterTest {
  private final Router router = new Router();
  private HttpServer server;

  @BeforeEach
  void listen() throws IOException {
    server =
        new HttpServer(
            HttpSettings.at(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)), router);
    server.bind();
    router.route("GET", "/things", exchange -> Responses.text(exchange, 200, "all"));
    router.route("GET", "/things/{id}", exchange -> name(exchange, "one"));
    router.route("DELETE", "/things/{id}", exchange -> name(exchange, "gone"));
    router.route("GET", "/things/{id}/parts", exchange -> name(exchange, "parts"));
    router.route("GET", "/things/special", exchange -> Responses.text(exchange, 200, "special"));
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private static void name(HttpExchange exchange, String what) {
    Responses.text(exchange, 200, what + " " + Router.parameter(exchange, "id"));
  }

  private RawClient.Response send(String method, String path) throws IOException {
    try (var client = new RawClient(server.port())) {
      return client.send(method + " " + path + " HTTP/1.1\nHost: x\n\n").read();
    }
  }

  @Test
  void aSegmentInBracesStandsForAnySegment() throws IOException {
    assertThat(send("GET", "/things").text()).isEqualTo("all\n");
    assertThat(send("GET", "/things/7").text()).isEqualTo("one 7\n");
    assertThat(send("GET", "/things/7?x=/y").text()).isEqualTo("one 7\n");
    assertThat(send("DELETE", "/things/7").text()).isEqualTo("gone 7\n");
    assertThat(send("GET", "/things/7/parts").text()).isEqualTo("parts 7\n");
    assertThat(send("GET", "/things/special").text()).isEqualTo("special\n");
  }

  @Test
  void parametersAreDecoded() throws IOException {
    assertThat(send("GET", "/things/a%20b+c%2Fd").text()).isEqualTo("one a b+c/d\n");
    assertThat(send("GET", "/things/%zz").text()).isEqualTo("one %zz\n");
  }

  @Test
  void whatDoesNotMatchIsUnknown() throws IOException {
    for (String path : new String[] {"/things/", "/things//parts", "/things/7/", "/things/7/8"}) {
      assertThat(send("GET", path).status()).as(path).isEqualTo(404);
    }
  }

  @Test
  void anotherMethodOfATemplateIs405() throws IOException {
    var answer = send("PUT", "/things/7");
    assertThat(answer.status()).isEqualTo(405);
    assertThat(answer.headers()).containsEntry("allow", "GET|DELETE");
  }
}
