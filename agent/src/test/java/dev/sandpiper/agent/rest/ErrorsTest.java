package dev.sandpiper.agent.rest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.http.RawClient;
import dev.sandpiper.agent.rpc.TestRpc;
import java.io.IOException;
import org.junit.jupiter.api.Test;

final class ErrorsTest {
  @Test
  void theBodyIsThatOfTheContract() throws IOException {
    try (TestRpc engine = new TestRpc().ready()) {
      engine
          .router()
          .route(
              "GET",
              "/x",
              exchange ->
                  Errors.json(exchange, 404, "no \"such\"\\file\n\u0001\ud800 ü \ud83d\ude00"));
      try (var client = new RawClient(engine.port())) {
        var answer = client.send("GET /x HTTP/1.1\nHost: localhost\n\n").read();
        assertThat(answer.status()).isEqualTo(404);
        assertThat(answer.text())
            .isEqualTo(
                "{\"code\":404,\"message\":\"no \\\"such\\\"\\\\file\\n\\u0001\ufffd ü \ud83d\ude00\"}\n");
        assertThat(answer.headers())
            .containsEntry("content-type", "application/json; charset=utf-8")
            .containsEntry("x-content-type-options", "nosniff");
      }
    }
  }
}
