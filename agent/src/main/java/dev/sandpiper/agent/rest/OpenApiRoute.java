package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.Router;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.function.Supplier;

/// `GET /openapi.yaml`: the description of every plain HTTP route, as OpenAPI 3.1. It is written by hand and read from the
/// image each time, as hardly anybody asks twice.
public final class OpenApiRoute {
  private static final String RESOURCE = "openapi.yaml";

  private OpenApiRoute() {}

  /// Adds the route.
  ///
  /// @param version of the agent
  public static void register(Router router, Supplier<String> version) {
    router.route("GET", "/" + RESOURCE, exchange -> answer(exchange, version.get()));
  }

  private static void answer(HttpExchange exchange, String version) {
    exchange.respond(
        200,
        Headers.of("content-type", "application/yaml", "x-content-type-options", "nosniff"),
        text()
            .replaceFirst("version: VERSION", "version: " + version)
            .getBytes(StandardCharsets.UTF_8));
  }

  private static String text() {
    try (var in = OpenApiRoute.class.getResourceAsStream(RESOURCE)) {
      if (in == null) {
        throw new IllegalStateException("the build left out " + RESOURCE);
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + RESOURCE, e);
    }
  }
}
