package dev.sandpiper.agent.auth;

import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.HttpFilter;
import dev.sandpiper.agent.http.HttpHandler;
import java.util.Set;

/// Lets through who shows the access token in `X-Access-Token`, while there is one.
///
/// Without it pass, by exact method and path: `GET /health` and gRPC health checks, which tell nothing but that the agent
/// is there, and which probes ask for that have no token; `POST /init`, which looks for itself; `GET /files` and
/// `POST /files`, which also take a signature ([SignedUrls]). While a token is awaited, `/files` does not pass either.
///
/// E2B's clients of the control plane show it in `X-API-Key`; that counts for what they ask for, the paths below
/// `/sandboxes/` and `/v2/sandboxes/`, and nowhere else.
///
/// Whatever the protocol, a refusal is 401 with the body of plain HTTP errors. An absent header, an empty one, a wrong one
/// and several are all the same.
public final class TokenFilter implements HttpFilter {
  static final String REFUSED =
      "unauthorized access, please provide a valid access token or method signing if supported";
  static final String AWAITED =
      "envd not initialized: POST /init has to set an access token before anything else";

  private static final Set<String> ALWAYS =
      Set.of(
          "GET /health",
          "POST /init",
          "POST /grpc.health.v1.Health/Check",
          "POST /grpc.health.v1.Health/List",
          "POST /grpc.health.v1.Health/Watch");
  private static final Set<String> SIGNED = Set.of("GET /files", "POST /files");

  private final AccessToken token;
  private final PlainRefusal refusal;

  public TokenFilter(AccessToken token, PlainRefusal refusal) {
    this.token = token;
    this.refusal = refusal;
  }

  @Override
  public void filter(HttpExchange exchange, HttpHandler next) {
    if (token.isAwaited()) {
      if (isIn(ALWAYS, exchange)) {
        next.handle(exchange);
      } else {
        refusal.refuse(exchange, 401, AWAITED);
      }
      return;
    }
    if (!token.isSet()) {
      next.handle(exchange);
      return;
    }
    String sent = AccessToken.sent(exchange.requestHeaders());
    if (sent == null && isOfControlPlane(exchange)) {
      sent = AccessToken.sentAsKey(exchange.requestHeaders());
    }
    boolean shown = sent != null && token.matchesHeader(sent);
    if (shown || isIn(ALWAYS, exchange) || isIn(SIGNED, exchange)) {
      next.handle(exchange);
    } else {
      refusal.refuse(exchange, 401, REFUSED);
    }
  }

  private static boolean isOfControlPlane(HttpExchange exchange) {
    return exchange.path().startsWith("/sandboxes/")
        || exchange.path().startsWith("/v2/sandboxes/");
  }

  private static boolean isIn(Set<String> exempt, HttpExchange exchange) {
    return exempt.contains(exchange.method() + " " + exchange.path());
  }
}
