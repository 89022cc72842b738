package dev.sandpiper.agent.auth;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.http.RawClient;
import dev.sandpiper.agent.http.Responses;
import dev.sandpiper.agent.rpc.TestRpc;
import io.grpc.Status;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class BasicUserFilterTest {
  private TestRpc engine;
  private volatile String defaultUser = "root";

  @BeforeEach
  void start() throws IOException {
    engine = new TestRpc().ready();
    engine
        .router()
        .filter(
            new BasicUserFilter(
                Set.of("root", "user")::contains,
                () -> defaultUser,
                (exchange, message) ->
                    engine.rpc().refuse(exchange, Status.UNAUTHENTICATED.withDescription(message))))
        .route(
            "GET",
            "/who",
            exchange ->
                Responses.text(exchange, 200, String.valueOf(exchange.get(Caller.ATTRIBUTE))));
  }

  @AfterEach
  void stop() {
    engine.close();
  }

  private static String basic(String pair) {
    return "Basic " + Base64.getEncoder().encodeToString(pair.getBytes(StandardCharsets.UTF_8));
  }

  private String who(String authorization) throws IOException {
    try (var client = new RawClient(engine.port())) {
      String header = authorization.isEmpty() ? "" : "Authorization: " + authorization + "\n";
      return client.send("GET /who HTTP/1.1\nHost: x\n" + header + "\n").read().text();
    }
  }

  @Test
  void theHeaderNamesTheUserAndItsPasswordIsIgnored() throws IOException {
    assertThat(who(basic("user:"))).contains("userName=user", "isDefault=false");
    assertThat(who(basic("user:secret"))).contains("userName=user");
    assertThat(who(basic("user:").replace("Basic", "bAsIc"))).contains("userName=user");
  }

  @Test
  void withoutAUsableHeaderItIsTheDefaultUser() throws IOException {
    for (String header : new String[] {"", "Bearer x", "Basic ???", basic("user")}) {
      assertThat(who(header)).contains("userName=root", "isDefault=true");
    }
    defaultUser = "user";
    assertThat(who("")).contains("userName=user");
    defaultUser = "gone";
    assertThat(who(""))
        .isEqualTo("{\"code\":\"unauthenticated\",\"message\":\"invalid default user: 'gone'\"}");
  }

  @ParameterizedTest
  @CsvSource({
    "application/json, 401, body",
    "application/proto, 401, body",
    "text/plain, 401, body",
    "application/connect+json, 200, envelope",
    "application/connect+proto, 200, envelope",
    "application/grpc-web+proto, 200, header",
    "application/grpc, 200, header",
  })
  void anUnknownUserIsRefusedInTheShapeOfTheProtocol(String type, int status, String where)
      throws IOException {
    try (var client = new RawClient(engine.port())) {
      var response =
          client
              .send(
                  "POST /process.Process/Start HTTP/1.1\nHost: x\nContent-Length: 2\nContent-Type: "
                      + type
                      + "\nAuthorization: "
                      + basic("nobody:")
                      + "\n\n{}")
              .read();
      assertThat(response.status()).isEqualTo(status);
      String error = "{\"code\":\"unauthenticated\",\"message\":\"invalid username: 'nobody'\"}";
      switch (where) {
        case "body" -> {
          assertThat(response.text()).isEqualTo(error);
          assertThat(response.headers()).containsEntry("content-type", "application/json");
        }
        case "envelope" -> {
          assertThat(response.body()[0]).isEqualTo((byte) 2);
          assertThat(response.text().substring(5)).isEqualTo("{\"error\":" + error + "}");
          assertThat(response.headers()).containsEntry("content-type", type);
        }
        default ->
            assertThat(response.headers())
                .containsEntry("grpc-status", "16")
                .containsEntry("grpc-message", "invalid username: 'nobody'");
      }
    }
  }
}
