package dev.sandpiper.agent.accounts;

import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;

/// What holds for requests that do not say otherwise. Changed as a whole, at any time; each request looks once.
/// Thread-safe.
public final class SandboxDefaults {
  /// One state of them.
  ///
  /// @param user name of the default account, which need not exist; empty for the agent's own
  /// @param workdir default directory of commands and base of empty paths, not checked; empty for the account's home
  /// @param variables environment variables that were set for every command, over the agent's own
  public record Values(
      Optional<String> user, Optional<String> workdir, Map<String, String> variables) {
    public Values {
      variables = Map.copyOf(variables);
    }

    /// The same with another default account.
    public Values withUser(String name) {
      return new Values(Optional.of(name), workdir, variables);
    }

    /// The same with another default directory.
    public Values withWorkdir(String path) {
      return new Values(user, Optional.of(path), variables);
    }

    /// The same with other variables in place of all that were set.
    public Values withVariables(Map<String, String> replacement) {
      return new Values(user, workdir, replacement);
    }
  }

  private final AtomicReference<Values> values;

  /// @param user the account that the agent was configured with
  public SandboxDefaults(Optional<String> user) {
    values = new AtomicReference<>(new Values(user, Optional.empty(), Map.of()));
  }

  public Values now() {
    return values.get();
  }

  /// Replaces the state in one step. `change` may run more than once and must have no effects.
  public Values update(UnaryOperator<Values> change) {
    return values.updateAndGet(change);
  }
}
