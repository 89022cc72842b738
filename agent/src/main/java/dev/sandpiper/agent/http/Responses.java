package dev.sandpiper.agent.http;

import java.nio.charset.StandardCharsets;

/// Whole answers that many handlers give.
public final class Responses {
  private Responses() {}

  /// A line of plain text.
  public static void text(HttpExchange exchange, int status, String line) {
    exchange.respond(
        status,
        Headers.of(
            "content-type", "text/plain; charset=utf-8", "x-content-type-options", "nosniff"),
        (line + "\n").getBytes(StandardCharsets.UTF_8));
  }

  public static void json(HttpExchange exchange, int status, String json) {
    exchange.respond(
        status,
        Headers.of("content-type", "application/json"),
        json.getBytes(StandardCharsets.UTF_8));
  }

  public static void notFound(HttpExchange exchange) {
    text(exchange, 404, "404 page not found");
  }

  /// 405 without a body; one `Allow` line for each method.
  public static void methodNotAllowed(HttpExchange exchange, Iterable<String> allowed) {
    Headers headers = new Headers();
    for (String method : allowed) {
      headers.add("allow", method);
    }
    exchange.respond(405, headers, new byte[0]);
  }
}
