package dev.sandpiper.agent.http;

import java.util.Set;
import java.util.function.BooleanSupplier;

/// Lets web pages of any origin call, without credentials, while a condition holds: that they have something else to show
/// than that the browser of a user of this machine runs them. Otherwise it does nothing.
///
/// Stands before authentication, because a browser's preflight carries none. A preflight is always answered 204, with
/// the allowing headers only if it has an `Origin` and asks for one of the usual methods.
public final class CorsFilter implements HttpFilter {
  private static final Set<String> METHODS =
      Set.of("HEAD", "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS");
  private static final String EXPOSED =
      "Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin, Location, Cache-Control, X-Content-Type-Options";
  private static final String MAX_AGE_SECONDS = "7200";

  private final BooleanSupplier condition;

  /// @param condition asked at each request
  public CorsFilter(BooleanSupplier condition) {
    this.condition = condition;
  }

  @Override
  public void filter(HttpExchange exchange, HttpHandler next) {
    if (!condition.getAsBoolean()) {
      next.handle(exchange);
      return;
    }
    Headers request = exchange.requestHeaders();
    boolean hasOrigin = request.contains("origin");
    String method = request.get("access-control-request-method");
    if (exchange.method().equals("OPTIONS") && method != null) {
      exchange.respond(204, preflight(request, hasOrigin, method), new byte[0]);
      return;
    }
    Headers extra = exchange.extraHeaders();
    extra.add("vary", "Origin");
    if (hasOrigin) {
      extra.add("access-control-allow-origin", "*");
      extra.add("access-control-expose-headers", EXPOSED);
    }
    next.handle(exchange);
  }

  private static Headers preflight(Headers request, boolean hasOrigin, String method) {
    Headers answer =
        Headers.of("vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
    if (hasOrigin && METHODS.contains(method)) {
      answer.add("access-control-allow-origin", "*");
      answer.add("access-control-allow-methods", method);
      String headers = request.get("access-control-request-headers");
      if (headers != null && !headers.isEmpty()) {
        answer.add("access-control-allow-headers", headers);
      }
      answer.add("access-control-max-age", MAX_AGE_SECONDS);
    }
    return answer;
  }
}
