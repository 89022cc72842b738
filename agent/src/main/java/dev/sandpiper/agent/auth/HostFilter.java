package dev.sandpiper.agent.auth;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.HttpFilter;
import dev.sandpiper.agent.http.HttpHandler;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// Keeps web pages away from an agent that has no token. With a token it does nothing: a page does not know it.
///
/// A browser on this machine reaches the loopback for every page that it shows. Three checks, each 403:
///
/// - `Host` must be a name that only this machine has (or one that was allowed). A page whose own name was turned to
///   127.0.0.1 after it was loaded (DNS rebinding) is of the agent's origin to the browser, but still has its own name here.
/// - `Origin`, if there is one, must be the agent's own: a page may send a form or a `text/plain` request to any address
///   without being asked, it only may not read the answer.
/// - `Sec-Fetch-Site`, if there is one, must not tell of another site: the same for requests without `Origin`.
///
/// Requests without `Host` (HTTP/1.0) pass: no browser makes such. So does `GET /health`, which tells nothing and is asked
/// by probes under whatever name they have for this machine.
public final class HostFilter implements HttpFilter {
  private static final int SHOWN_CHARS = 100;

  private final AccessToken token;
  private final List<String> allowedHosts;
  private final boolean anyHost;
  private final PlainRefusal refusal;

  /// What was last found to be ours: a client says the same each time.
  private volatile @Nullable String lastOurs;

  /// @param anyHost whether the first check is left out
  public HostFilter(
      AccessToken token, List<String> allowedHosts, boolean anyHost, PlainRefusal refusal) {
    this.token = token;
    this.allowedHosts = List.copyOf(allowedHosts);
    this.anyHost = anyHost;
    this.refusal = refusal;
  }

  @Override
  public void filter(HttpExchange exchange, HttpHandler next) {
    String problem = token.isSet() || isProbe(exchange) ? null : problem(exchange.requestHeaders());
    if (problem == null) {
      next.handle(exchange);
    } else {
      refusal.refuse(exchange, 403, problem);
    }
  }

  private static boolean isProbe(HttpExchange exchange) {
    return exchange.method().equals("GET") && exchange.path().equals("/health");
  }

  private @Nullable String problem(Headers headers) {
    List<String> hosts = headers.all("host");
    if (hosts.size() > 1) {
      return "there is more than one Host header";
    }
    if (!hosts.isEmpty() && !anyHost && !isOurs(hosts.getFirst())) {
      return "without an access token the agent is called by a loopback name or one that --allowed-host gives, not by "
          + shown(hosts.getFirst());
    }
    for (String origin : headers.all("origin")) {
      if (!isOwn(origin, hosts)) {
        return "without an access token no web page may call the agent, and this one is of "
            + shown(origin);
      }
    }
    for (String site : headers.all("sec-fetch-site")) {
      if (site.equals("cross-site") || site.equals("same-site")) {
        return "without an access token no web page may call the agent, and this one is of another site";
      }
    }
    return null;
  }

  private boolean isOurs(String authority) {
    if (authority.equals(lastOurs)) {
      return true;
    }
    String host = Authority.host(authority);
    boolean ours =
        host != null && (Authority.isLoopback(host) || Authority.isAmong(allowedHosts, host));
    if (ours && authority.length() <= SHOWN_CHARS) {
      lastOurs = authority;
    }
    return ours;
  }

  /// Names are checked also where any `Host` will do: rebinding makes the two equal.
  private boolean isOwn(String origin, List<String> hosts) {
    int scheme = origin.indexOf("://");
    String authority = scheme < 0 ? origin : origin.substring(scheme + 3);
    return scheme > 0
        && !hosts.isEmpty()
        && authority.toLowerCase(Locale.ROOT).equals(hosts.getFirst().toLowerCase(Locale.ROOT))
        && isOurs(authority);
  }

  private static String shown(String text) {
    return "'" + (text.length() <= SHOWN_CHARS ? text : text.substring(0, SHOWN_CHARS) + "…") + "'";
  }
}
