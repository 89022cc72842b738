package dev.sandpiper.agent.rest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.accounts.SandboxDefaults;
import dev.sandpiper.agent.auth.AccessToken;
import dev.sandpiper.agent.auth.InitAccess;
import dev.sandpiper.agent.http.RawClient;
import dev.sandpiper.agent.machine.TrustStore;
import dev.sandpiper.agent.rpc.TestRpc;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class InitRouteTest {
  @TempDir Path directory;
  private final SandboxDefaults defaults = new SandboxDefaults(Optional.of("root"));
  private TestRpc engine;

  @BeforeEach
  void listen() throws IOException {
    engine = new TestRpc().ready();
  }

  @AfterEach
  void stop() {
    engine.close();
  }

  private void serve(AccessToken token) {
    InitRoute.register(
        engine.router(),
        new InitAccess(token, null),
        defaults,
        new TrustStore(directory.resolve("bundle"), directory.resolve("own")));
    EnvsRoute.register(engine.router(), defaults, Map.of("E2B_SANDBOX", "false"));
  }

  private RawClient.Response init(String body, String... headers) throws IOException {
    try (var client = new RawClient(engine.port())) {
      return post(client, body, headers);
    }
  }

  private static RawClient.Response post(RawClient client, String body, String... headers)
      throws IOException {
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    StringBuilder head = new StringBuilder("POST /init HTTP/1.1\nHost: localhost\n");
    for (String header : headers) {
      head.append(header).append('\n');
    }
    client.send(head + "Content-Length: " + bytes.length + "\n\n");
    return client.send(bytes).read();
  }

  private void assertAnswer(int status, String text, String body, String... headers)
      throws IOException {
    var answer = init(body, headers);
    assertThat(answer.status()).isEqualTo(status);
    assertThat(answer.text()).isEqualTo(text);
    assertThat(answer.headers()).containsEntry("x-envd-version", "0.6.13");
  }

  @Test
  void successIs204WithoutABody() throws IOException {
    serve(AccessToken.open());
    var answer = init("");
    assertThat(answer.status()).isEqualTo(204);
    assertThat(answer.headers())
        .containsEntry("x-envd-version", "0.6.13")
        .containsEntry("cache-control", "no-store")
        .doesNotContainKey("content-type");
  }

  @Test
  void whatCannotBeReadIs400WithoutABody() throws IOException {
    serve(AccessToken.open());
    assertAnswer(400, "", "{");
    assertAnswer(400, "", "{\"accessToken\":\"\"}");
    assertAnswer(400, "", "{\"accessToken\":\"a\\u0041\"}");
  }

  @Test
  void aBodyBeyondTheCapIsNotRead() throws IOException {
    serve(AccessToken.open());
    var answer = init(" ".repeat(1024 * 1024 + 1));
    assertThat(answer.status()).isEqualTo(413);
    assertThat(answer.headers()).containsEntry("x-envd-version", "0.6.13");
  }

  @Test
  void variablesAreReplacedAsAWholeAndTheAgentsOwnStay() throws IOException {
    serve(AccessToken.open());
    init("{\"envVars\":{\"A\":\"1\",\"E2B_SANDBOX\":\"true\",\"Q\":\"\\\"\\n\"}}");
    assertThat(envs()).isEqualTo("{\"A\":\"1\",\"E2B_SANDBOX\":\"false\",\"Q\":\"\\\"\\n\"}\n");
    init("{\"defaultUser\":\"x\"}");
    assertThat(defaults.now().variables()).containsKey("A");
    init("{\"envVars\":{\"B\":\"2\"}}");
    assertThat(envs()).isEqualTo("{\"B\":\"2\",\"E2B_SANDBOX\":\"false\"}\n");
    init("{\"envVars\":{}}");
    assertThat(envs()).isEqualTo("{\"E2B_SANDBOX\":\"false\"}\n");
  }

  private String envs() throws IOException {
    try (var client = new RawClient(engine.port())) {
      var answer = client.send("GET /envs HTTP/1.1\nHost: localhost\n\n").read();
      assertThat(answer.headers())
          .containsEntry("content-type", "application/json")
          .containsEntry("cache-control", "no-store");
      return answer.text();
    }
  }

  @Test
  void defaultsAreSetAndNeverUnset() throws IOException {
    serve(AccessToken.open());
    init("{\"defaultUser\":\"nobody-knows\",\"defaultWorkdir\":\"/work\"}");
    init("{\"defaultUser\":\"\",\"defaultWorkdir\":null}");
    assertThat(defaults.now().user()).contains("nobody-knows");
    assertThat(defaults.now().workdir()).contains("/work");
  }

  @Test
  void theTokenRulesAreThoseOfThePlainMode() throws IOException {
    AccessToken token = AccessToken.open();
    serve(token);
    assertAnswer(204, "", "{}");
    assertAnswer(204, "", "{\"accessToken\":\"first\"}");
    assertThat(token.matches("first")).isTrue();
    assertAnswer(204, "", "{\"accessToken\":\"first\"}");
    assertAnswer(401, "access token reset not authorized\n", "{}");
    assertAnswer(401, "access token reset not authorized\n", "{\"accessToken\":null}");
    assertAnswer(401, "access token validation failed\n", "{\"accessToken\":\"second\"}");
    assertThat(token.matches("first")).isTrue();
  }

  @Test
  void whoShowsTheTokenMayReplaceItAndNotTakeItAway() throws IOException {
    AccessToken token = AccessToken.of("first");
    serve(token);
    String second = "{\"accessToken\":\"second\"}";
    for (String wrong : List.of("X-Access-Token: second", "X-Access-Token:")) {
      assertAnswer(401, "access token validation failed\n", second, wrong);
    }
    assertAnswer(
        401,
        "access token validation failed\n",
        second,
        "X-Access-Token: first",
        "X-Access-Token: first");
    assertAnswer(401, "access token reset not authorized\n", "{}", "X-Access-Token: first");
    assertAnswer(204, "", second, "X-Access-Token: first");
    assertThat(token.matches("second")).isTrue();
    assertThat(token.matches("first")).isFalse();
    assertAnswer(401, "access token validation failed\n", "{\"accessToken\":\"first\"}");
  }

  @Test
  void anOlderRequestIsPassedOver() throws IOException {
    serve(AccessToken.of("t"));
    String rest = "\",\"accessToken\":\"t\",\"defaultUser\":\"";
    assertAnswer(204, "", "{\"timestamp\":\"2026-01-02T00:00:00Z" + rest + "a\"}");
    assertAnswer(204, "", "{\"timestamp\":\"2026-01-01T00:00:00Z" + rest + "old\"}");
    assertThat(defaults.now().user()).contains("a");
    assertAnswer(204, "", "{\"timestamp\":\"2026-01-02T01:00:00+01:00" + rest + "same\"}");
    assertThat(defaults.now().user()).contains("same");
    assertAnswer(204, "", "{\"accessToken\":\"t\",\"defaultUser\":\"untimed\"}");
    assertThat(defaults.now().user()).contains("untimed");
    assertAnswer(
        401,
        "access token validation failed\n",
        "{\"timestamp\":\"2025-01-01T00:00:00Z\",\"accessToken\":\"x\"}");
  }

  @Test
  void whatCannotBeDoneIsRefusedBeforeAnythingIs() throws IOException {
    AccessToken token = AccessToken.open();
    serve(token);
    for (String impossible :
        List.of(
            "\"volumeMounts\":[{\"nfs_target\":\"a\",\"path\":\"/b\"}]",
            "\"envVars\":{\"A=B\":\"x\"}",
            "\"envVars\":{\"\":\"x\"}",
            "\"envVars\":{\"A\":\"x\\u0000\"}")) {
      var answer = init("{\"accessToken\":\"t\"," + impossible + "}");
      assertThat(answer.status()).isEqualTo(400);
      assertThat(answer.text()).startsWith(impossible.substring(1, impossible.indexOf("\":")));
      assertThat(answer.headers()).containsEntry("content-type", "text/plain; charset=utf-8");
    }
    assertThat(init("{\"accessToken\":\" t\"}").status()).as("no header has it").isEqualTo(400);
    assertThat(token.isSet()).isFalse();
  }

  @Test
  void anAwaitedTokenHasToBeInTheFirst() throws IOException {
    AccessToken token = AccessToken.awaited();
    serve(token);
    assertThat(init("{\"defaultUser\":\"x\"}").status()).isEqualTo(400);
    assertThat(defaults.now().user()).contains("root");
    assertThat(token.isAwaited()).isTrue();
    assertAnswer(204, "", "{\"accessToken\":\"t\"}");
    assertThat(token.matches("t")).isTrue();
  }

  @Test
  void aTrustStoreThatCannotBeChangedIsSaidSo() throws IOException {
    serve(AccessToken.open());
    var answer = init("{\"caBundle\":\"not a pem\",\"defaultUser\":\"x\"}");
    assertThat(answer.status()).isEqualTo(400);
    assertThat(answer.text()).startsWith("caBundle: it is not PEM");
    assertThat(defaults.now().user()).as("applied before").contains("x");
    assertThat(init("{}").status()).as("the next one is served").isEqualTo(204);
  }

  @Test
  void largeBodiesAreFewAtATimeAndSmallOnesPassThemBy() throws IOException {
    serve(AccessToken.open());
    String large = "{}" + " ".repeat(20_000);
    String half = "{}" + " ".repeat(50_000);
    for (boolean complete : new boolean[] {true, false}) {
      List<RawClient> clients = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        clients.add(new RawClient(engine.port()));
        clients
            .getLast()
            .send("POST /init HTTP/1.1\nHost: localhost\nContent-Length: 50003\n\n" + half);
      }
      Awaitility.await().until(() -> status(large) == 503);
      assertThat(status("{}")).isEqualTo(204);
      for (RawClient client : clients) {
        if (complete) {
          assertThat(client.send(" ").read().status()).isEqualTo(204);
        }
        client.close();
      }
      Awaitility.await().until(() -> status(large) == 204);
    }
  }

  private int status(String body) throws IOException {
    return init(body).status();
  }

  @Test
  void manyAtOnceAreAllAnsweredInTurn() throws IOException {
    serve(AccessToken.open());
    List<RawClient> clients = new ArrayList<>();
    try {
      for (int i = 0; i < 40; i++) {
        clients.add(new RawClient(engine.port()));
      }
      String body = "{\"caBundle\":\"not a pem\"}";
      for (RawClient client : clients) {
        client.send(
            "POST /init HTTP/1.1\nHost: localhost\nContent-Length: "
                + body.length()
                + "\n\n"
                + body);
      }
      for (RawClient client : clients) {
        assertThat(client.read().status()).isEqualTo(400);
      }
    } finally {
      for (RawClient client : clients) {
        client.close();
      }
    }
  }
}
