package dev.sandpiper.agent.process;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.tree.TreeRoot;
import java.util.HashMap;
import java.util.Map;

/// Puts a child's environment together (E2B contract, section 3.5).
///
/// Order, later wins: the agent's own `PATH`; `HOME`, `USER`, `LOGNAME` of the account; the variables
/// of the sandbox (the agent's own first, then those that were set); the request's; the process id, by which everything that the
/// command starts can be recognised. Nothing else of the agent's own environment reaches a command.
final class EnvironmentRules {
  /// What a login shell of Debian would have; used where the agent itself was started without a `PATH`.
  private static final String FALLBACK_PATH =
      "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

  private final String path;
  private final Map<String, String> ownVariables;

  EnvironmentRules(Map<String, String> agentEnvironment, Map<String, String> ownVariables) {
    this.path = agentEnvironment.getOrDefault("PATH", FALLBACK_PATH);
    this.ownVariables = Map.copyOf(ownVariables);
  }

  /// @param set variables that were set for every command; the agent's own cannot be among them
  /// @param processId nobody can set another one
  Map<String, String> environment(
      User user, Map<String, String> set, Map<String, String> request, String processId) {
    Map<String, String> environment = HashMap.newHashMap(8 + set.size() + request.size());
    environment.put("PATH", path);
    environment.put("HOME", user.home());
    environment.put("USER", user.name());
    environment.put("LOGNAME", user.name());
    environment.putAll(set);
    environment.putAll(ownVariables);
    environment.putAll(request);
    environment.put(TreeRoot.VARIABLE, processId);
    return environment;
  }
}
