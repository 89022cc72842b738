package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.Router;

/// `GET /health`: 204 as soon as the port is bound, with an empty `Content-Type` and `Cache-Control: no-store` (contract,
/// section 5.1), and the agent's version as `X-Sandpiper-Version`. It depends on nothing else, so it tells that the agent is
/// there and not how it is.
public final class HealthRoute {
  private static final byte[] NOTHING = {};

  private HealthRoute() {}

  /// Adds the route.
  public static void register(Router router, String version) {
    router.route("GET", "/health", exchange -> answer(exchange, version));
  }

  private static void answer(HttpExchange exchange, String version) {
    exchange.respond(
        204,
        new Headers()
            .add("cache-control", "no-store")
            .add("content-type", "")
            .add("x-sandpiper-version", version),
        NOTHING);
  }
}
