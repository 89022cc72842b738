package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.accounts.SandboxDefaults;
import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.Router;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;

/// `GET /envs`: one JSON object with the variables that every command gets, the agent's own included, by name (contract,
/// section 5.3). What comes from the user's account (`HOME`) and from the agent's environment (`PATH`) is not among them.
public final class EnvsRoute {
  private final SandboxDefaults defaults;
  private final Map<String, String> ownVariables;

  private EnvsRoute(SandboxDefaults defaults, Map<String, String> ownVariables) {
    this.defaults = defaults;
    this.ownVariables = Map.copyOf(ownVariables);
  }

  /// Adds the route.
  ///
  /// @param ownVariables the agent's own, which nobody can change
  public static void register(
      Router router, SandboxDefaults defaults, Map<String, String> ownVariables) {
    router.route("GET", "/envs", new EnvsRoute(defaults, ownVariables)::answer);
  }

  private void answer(HttpExchange exchange) {
    Map<String, String> all = new TreeMap<>(defaults.now().variables());
    all.putAll(ownVariables);
    StringBuilder json = new StringBuilder("{");
    all.forEach((name, value) -> {
      if (json.length() > 1) {
        json.append(',');
      }
      JsonText.string(json, name);
      json.append(':');
      JsonText.string(json, value);
    });
    exchange.respond(
        200,
        Headers.of("content-type", "application/json", "cache-control", "no-store"),
        json.append("}\n").toString().getBytes(StandardCharsets.UTF_8));
  }
}
