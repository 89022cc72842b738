package dev.sandpiper.agent.auth;

import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.HttpFilter;
import dev.sandpiper.agent.http.HttpHandler;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Takes the user from `Authorization: Basic`, without looking at the password: it names a user and proves nothing.
///
/// No such header, another scheme, or one that cannot be read: the default user. A user that does not exist is refused
/// on every route: `unauthenticated`, `invalid username: '<u>'` (`invalid default user: '<u>'`).
public final class BasicUserFilter implements HttpFilter {
  private static final String SCHEME = "basic ";

  private final UserLookup users;
  private final Supplier<String> defaultUser;
  private final Refusal refusal;

  /// @param defaultUser asked at each request, because it can change while the agent runs
  public BasicUserFilter(UserLookup users, Supplier<String> defaultUser, Refusal refusal) {
    this.users = users;
    this.defaultUser = defaultUser;
    this.refusal = refusal;
  }

  @Override
  public void filter(HttpExchange exchange, HttpHandler next) {
    String named = userName(exchange.requestHeaders().get("authorization"));
    String user = named == null ? defaultUser.get() : named;
    if (users.exists(user)) {
      exchange.put(Caller.ATTRIBUTE, new Caller(user, named == null));
      next.handle(exchange);
    } else if (named != null) {
      refusal.unauthenticated(exchange, "invalid username: '" + user + "'");
    } else {
      refusal.unauthenticated(exchange, "invalid default user: '" + user + "'");
    }
  }

  private static @Nullable String userName(@Nullable String authorization) {
    if (authorization == null
        || !authorization.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
      return null;
    }
    try {
      byte[] decoded = Base64.getDecoder().decode(authorization.substring(SCHEME.length()).strip());
      String pair = new String(decoded, StandardCharsets.UTF_8);
      int colon = pair.indexOf(':');
      return colon < 0 ? null : pair.substring(0, colon);
    } catch (IllegalArgumentException _) {
      return null; // not Base64: as if there were no header
    }
  }
}
