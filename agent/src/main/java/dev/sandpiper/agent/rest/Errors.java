package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import java.nio.charset.StandardCharsets;

/// The error body of plain HTTP: `{"code":404,"message":"…"}` and a line feed (contract, section 5.9).
public final class Errors {
  private Errors() {}

  /// Answers with a status and its reason. `code` is the status again, as a number: E2B's clients read it.
  public static void json(HttpExchange exchange, int status, String message) {
    StringBuilder body = new StringBuilder(message.length() + 32);
    body.append("{\"code\":").append(status).append(",\"message\":");
    JsonText.string(body, message);
    body.append("}\n");
    exchange.respond(
        status,
        Headers.of(
            "content-type", "application/json; charset=utf-8", "x-content-type-options", "nosniff"),
        body.toString().getBytes(StandardCharsets.UTF_8));
  }
}
