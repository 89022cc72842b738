package dev.sandpiper.agent.process;

import dev.sandpiper.agent.launch.User;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/// Puts a child's environment and working directory together (E2B contract, sections 3.5 and 3.6).
///
/// Order, later wins: the agent's own `PATH`; `HOME`, `USER`, `LOGNAME` of the account; the sandbox's variables; the
/// request's. Nothing else of the agent's own environment reaches a command.
final class EnvironmentRules {
  /// What a login shell of Debian would have; used where the agent itself was started without a `PATH`.
  private static final String FALLBACK_PATH =
      "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

  private final String path;
  private final Map<String, String> sandboxVariables;

  EnvironmentRules(Map<String, String> agentEnvironment, Map<String, String> sandboxVariables) {
    this.path = agentEnvironment.getOrDefault("PATH", FALLBACK_PATH);
    this.sandboxVariables = Map.copyOf(sandboxVariables);
  }

  Map<String, String> environment(User user, Map<String, String> request) {
    Map<String, String> environment = HashMap.newHashMap(8 + request.size());
    environment.put("PATH", path);
    environment.put("HOME", user.home());
    environment.put("USER", user.name());
    environment.put("LOGNAME", user.name());
    environment.putAll(sandboxVariables);
    environment.putAll(request);
    return environment;
  }

  /// The directory that a path of a request means. Absolute paths are taken as written, relative ones are below the
  /// user's home.
  static String resolve(Optional<String> requested, User user) throws StartRefused {
    String path = requested.orElse("");
    if (path.isEmpty()) {
      return user.home();
    }
    if (path.charAt(0) == '~') {
      if (path.length() == 1) {
        return user.home();
      }
      if (path.charAt(1) != '/' && path.charAt(1) != '\\') {
        throw new StartRefused(
            StartRefused.Reason.INVALID,
            "failed to expand path '"
                + path
                + "' for user '"
                + user.name()
                + "': cannot expand user-specific home dir");
      }
      return clean(user.home() + "/" + path.substring(2));
    }
    return path.charAt(0) == '/' ? path : clean(user.home() + "/" + path);
  }

  /// Removes `.`, `..` and doubled slashes without asking the file system.
  static String clean(String path) {
    StringBuilder cleaned = new StringBuilder(path.length());
    for (String part : path.split("/", -1)) {
      switch (part) {
        case "", "." -> {}
        case ".." -> cleaned.setLength(Math.max(0, cleaned.lastIndexOf("/")));
        default -> cleaned.append('/').append(part);
      }
    }
    return cleaned.isEmpty() ? "/" : cleaned.toString();
  }
}
