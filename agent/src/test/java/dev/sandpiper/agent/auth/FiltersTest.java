package dev.sandpiper.agent.auth;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.http.CorsFilter;
import dev.sandpiper.agent.http.RawClient;
import dev.sandpiper.agent.http.Responses;
import dev.sandpiper.agent.rest.Errors;
import dev.sandpiper.agent.rpc.TestRpc;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The filters in front of every route, in the order of the agent.
final class FiltersTest {
  private static final String REFUSAL =
      "{\"code\":401,\"message\":\"unauthorized access, please provide a valid access token or method signing if supported\"}\n";

  private TestRpc engine;

  @BeforeEach
  void listen() throws IOException {
    engine = new TestRpc().ready();
  }

  private void start(AccessToken token, boolean anyHost, String... hosts) {
    engine
        .router()
        .filter(new CorsFilter(token::isSet))
        .filter(new HostFilter(token, List.of(hosts), anyHost, Errors::json))
        .filter(new TokenFilter(token, Errors::json))
        .fallback(exchange ->
            Responses.text(
                exchange, 200, "passed with host " + exchange.requestHeaders().get("host")));
  }

  @AfterEach
  void stop() {
    engine.close();
  }

  private RawClient.Response ask(String firstLine, String... headers) throws IOException {
    try (var client = new RawClient(engine.port())) {
      StringBuilder text = new StringBuilder(firstLine + "\n");
      for (String header : headers) {
        text.append(header).append('\n');
      }
      if (firstLine.startsWith("POST")) {
        text.append("Content-Length: 0\n");
      }
      return client.send(text.append('\n').toString()).read(firstLine.startsWith("HEAD"));
    }
  }

  private int status(String request, String... headers) throws IOException {
    String[] all = new String[headers.length + 1];
    all[0] = "Host: localhost";
    System.arraycopy(headers, 0, all, 1, headers.length);
    return ask(request + " HTTP/1.1", all).status();
  }

  // With a token.

  @Test
  void theTokenOpensEverything() throws IOException {
    start(AccessToken.of("hunter2"), false);
    for (String request : List.of("GET /envs", "POST /process.Process/List", "HEAD /files")) {
      assertThat(status(request, "X-Access-Token: hunter2")).isEqualTo(200);
      assertThat(status(request, "x-access-token:hunter2")).isEqualTo(200);
    }
  }

  @Test
  void withoutItTheBodyIsThatOfTheContractWhateverTheProtocol() throws IOException {
    start(AccessToken.of("hunter2"), false);
    for (String type :
        List.of("application/json", "application/connect+json", "application/grpc", "text/plain")) {
      var answer =
          ask("POST /process.Process/Start HTTP/1.1", "Host: localhost", "Content-Type: " + type);
      assertThat(answer.status()).isEqualTo(401);
      assertThat(answer.text()).isEqualTo(REFUSAL);
      assertThat(answer.headers())
          .containsEntry("content-type", "application/json; charset=utf-8")
          .containsEntry("x-content-type-options", "nosniff");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "X-Access-Token:",
        "X-Access-Token: hunter",
        "X-Access-Token: hunter22",
        "X-Access-Token: HUNTER2",
        "X-Access-Token: Bearer hunter2",
        "Authorization: Bearer hunter2",
        "X-Access-Token: hunter2, hunter2",
        "X-Access-Token: hunter2\nX-Access-Token: hunter2",
        "X-Access-Token: hunter2\nX-Access-Token: other",
        "X-Access-Token: other\nX-Access-Token: hunter2",
      })
  void anythingElseIsRefused(String headers) throws IOException {
    start(AccessToken.of("hunter2"), false);
    assertThat(status("GET /metrics", headers)).isEqualTo(401);
  }

  @Test
  void asAKeyItOpensWhatControlPlanesAreAskedForOnly() throws IOException {
    start(AccessToken.of("hunter2"), false);
    for (String path : List.of("/sandboxes/x", "/sandboxes/x/logs", "/v2/sandboxes/x/logs")) {
      assertThat(status("GET " + path, "X-API-Key: hunter2")).isEqualTo(200);
      assertThat(status("GET " + path, "X-API-Key: other")).isEqualTo(401);
      assertThat(status("GET " + path, "X-API-Key: hunter2\nX-Access-Token: other")).isEqualTo(401);
      assertThat(status("GET " + path)).isEqualTo(401);
    }
    assertThat(status("GET /envs", "X-API-Key: hunter2")).isEqualTo(401);
  }

  @Test
  void aTokenBeyondAsciiIsComparedByItsBytes() throws IOException {
    start(AccessToken.of("schlüssel"), false);
    assertThat(status("GET /envs", "X-Access-Token: schl\u00c3\u00bcssel")).isEqualTo(200);
    assertThat(status("GET /envs", "X-Access-Token: schl\u00fcssel")).isEqualTo(401);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET /health",
        "GET /files",
        "GET /files?path=x",
        "POST /files",
        "POST /init",
        "POST /grpc.health.v1.Health/Check",
        "POST /grpc.health.v1.Health/Watch"
      })
  void whatIsExemptPasses(String request) throws IOException {
    start(AccessToken.of("hunter2"), false);
    assertThat(status(request)).isEqualTo(200);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "HEAD /health",
        "POST /health",
        "GET /health/",
        "GET //health",
        "GET /Health",
        "GET /%68ealth",
        "HEAD /files",
        "PUT /files",
        "OPTIONS /files",
        "GET /files/",
        "GET /files/../envs",
        "POST /files/compose",
        "GET /init",
        "POST /init/",
        "GET /metrics",
        "GET /envs",
        "POST /process.Process/Start",
        "GET /grpc.health.v1.Health/Check",
        "POST /grpc.health.v1.Health/",
        "POST /grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "GET /nothing",
        "OPTIONS *"
      })
  void nothingElseIsExempt(String request) throws IOException {
    start(AccessToken.of("hunter2"), false);
    assertThat(status(request)).isEqualTo(401);
  }

  @Test
  void withATokenAnyPageMayAskAndAnyNameIsGood() throws IOException {
    start(AccessToken.of("hunter2"), false);
    var answer =
        ask(
            "GET /envs HTTP/1.1",
            "Host: evil.example",
            "Origin: http://evil.example",
            "X-Access-Token: hunter2");
    assertThat(answer.status()).isEqualTo(200);
    assertThat(answer.headers()).containsEntry("access-control-allow-origin", "*");
    var preflight =
        ask(
            "OPTIONS /envs HTTP/1.1",
            "Host: x",
            "Origin: http://evil.example",
            "Access-Control-Request-Method: GET",
            "Access-Control-Request-Headers: x-access-token");
    assertThat(preflight.status()).isEqualTo(204);
    assertThat(preflight.headers()).containsEntry("access-control-allow-headers", "x-access-token");
    assertThat(ask("GET /envs HTTP/1.1", "Host: x", "Origin: http://evil.example").headers())
        .as("so that a page can read why it was refused")
        .containsEntry("access-control-allow-origin", "*");
  }

  // Awaiting the first /init.

  @Test
  void beforeTheFirstInitOnlyItAndHealthChecksPass() throws IOException {
    AccessToken token = AccessToken.awaited();
    start(token, true);
    for (String passes :
        List.of("GET /health", "POST /init", "POST /grpc.health.v1.Health/Check")) {
      assertThat(status(passes)).isEqualTo(200);
    }
    for (String refused :
        List.of(
            "GET /files", "POST /files", "GET /envs", "POST /process.Process/Start", "GET /x")) {
      assertThat(status(refused)).isEqualTo(401);
      assertThat(status(refused, "X-Access-Token:")).isEqualTo(401);
    }
    assertThat(ask("GET /envs HTTP/1.1", "Host: 10.1.2.3").text())
        .startsWith("{\"code\":401,\"message\":\"envd not initialized");
    token.set("hunter2");
    assertThat(status("GET /envs", "X-Access-Token: hunter2")).isEqualTo(200);
    assertThat(status("GET /files")).isEqualTo(200);
    assertThat(status("GET /envs")).isEqualTo(401);
  }

  @Test
  void noPageCanBeTheOneThatSetsTheToken() throws IOException {
    start(AccessToken.awaited(), true);
    assertThat(status("POST /init", "Origin: http://evil.example")).isEqualTo(403);
    assertThat(
            ask(
                    "POST /init HTTP/1.1",
                    "Host: evil.example:49983",
                    "Origin: http://evil.example:49983")
                .status())
        .as("rebound")
        .isEqualTo(403);
  }

  // Without a token.

  @ParameterizedTest
  @ValueSource(
      strings = {
        "localhost",
        "LOCALHOST:49983",
        "app.localhost:1",
        "127.0.0.1:49983",
        "127.1.2.3",
        "[::1]:49983",
        "agent.internal",
        "x.sandbox.example:80"
      })
  void loopbackNamesAndAllowedOnesAreGood(String host) throws IOException {
    start(AccessToken.open(), false, "agent.internal", "*.sandbox.example");
    assertThat(ask("GET /envs HTTP/1.1", "Host: " + host).status()).isEqualTo(200);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "evil.example",
        "evil.example:49983",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example@localhost",
        "10.0.0.1",
        "0.0.0.0:49983",
        "[fe80::1]",
        "",
        "localhost:x"
      })
  void rebindingReachesNothing(String host) throws IOException {
    start(AccessToken.open(), false, "agent.internal");
    for (String path : List.of("GET /envs", "POST /health", "POST /init", "OPTIONS /envs")) {
      var answer = ask(path + " HTTP/1.1", "Host: " + host);
      assertThat(answer.status()).isEqualTo(403);
      assertThat(answer.text()).contains("\"code\":403", "--allowed-host");
    }
    assertThat(ask("GET /health HTTP/1.1", "Host: " + host).status())
        .as("probes have names of their own")
        .isEqualTo(200);
  }

  @Test
  void theTargetCountsNotTheHeader() throws IOException {
    start(AccessToken.open(), false);
    assertThat(ask("GET http://evil.example/envs HTTP/1.1", "Host: localhost").status())
        .isEqualTo(403);
    var answer = ask("GET http://localhost:1/envs HTTP/1.1", "Host: evil.example");
    assertThat(answer.status()).isEqualTo(200);
    assertThat(answer.text()).contains("passed with host localhost:1");
    assertThat(ask("GET http://evil.example/envs HTTP/1.0").status()).isEqualTo(403);
  }

  @Test
  void aRequestWithoutAHostIsOfNoBrowser() throws IOException {
    start(AccessToken.open(), false);
    assertThat(ask("GET /envs HTTP/1.0").status()).isEqualTo(200);
    assertThat(ask("GET /envs HTTP/1.0", "Host: evil.example").status()).isEqualTo(403);
    assertThat(ask("GET /envs HTTP/1.0", "Host: localhost", "Host: evil.example").status())
        .isEqualTo(403);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Origin: http://evil.example",
        "Origin: null",
        "Origin:",
        "Origin: http://localhost:3000",
        "Origin: http://localhost",
        "Origin: http://localhost:49983\nOrigin: http://evil.example",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
      })
  void noPageOfAnotherOriginMayEvenAsk(String headers) throws IOException {
    start(AccessToken.open(), false);
    for (String request : List.of("POST /files", "POST /init", "GET /envs", "OPTIONS /init")) {
      var answer =
          ask(
              request + " HTTP/1.1",
              "Host: localhost:49983",
              "Content-Type: text/plain",
              "Access-Control-Request-Method: POST",
              headers);
      assertThat(answer.status()).isEqualTo(403);
      assertThat(answer.headers())
          .doesNotContainKeys("access-control-allow-origin", "access-control-allow-methods");
    }
  }

  @Test
  void theAgentsOwnOriginMayAndGetsNoPermissionsForOthers() throws IOException {
    start(AccessToken.open(), false);
    for (String extra : List.of("Origin: http://LOCALHOST:49983", "Sec-Fetch-Site: same-origin")) {
      var answer = ask("GET /envs HTTP/1.1", "Host: localhost:49983", extra);
      assertThat(answer.status()).isEqualTo(200);
      assertThat(answer.headers()).doesNotContainKeys("access-control-allow-origin", "vary");
    }
    assertThat(status("GET /envs", "Sec-Fetch-Site: none")).isEqualTo(200);
  }

  @Test
  void whereEverybodyMayCallPagesStillMayNot() throws IOException {
    start(AccessToken.open(), true);
    assertThat(ask("GET /envs HTTP/1.1", "Host: sandbox-7:49983").status()).isEqualTo(200);
    assertThat(
            ask("GET /envs HTTP/1.1", "Host: sandbox-7:49983", "Origin: http://evil.example")
                .status())
        .isEqualTo(403);
    assertThat(
            ask("POST /x HTTP/1.1", "Host: evil.example", "Origin: http://evil.example").status())
        .isEqualTo(403);
  }
}
