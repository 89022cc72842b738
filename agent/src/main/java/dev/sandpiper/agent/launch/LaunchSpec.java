package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.accounts.User;
import java.util.List;
import java.util.Map;

/// Everything that decides how a child starts.
///
/// @param processId the agent's own id of the process; never reused
/// @param cmd the command: with a slash it is a path (a relative one starts at `cwd`), else it is looked up on the
///     `PATH` of `environment`; it becomes the program's argument zero as it is
/// @param environment complete, nothing is added; iteration order is kept
/// @param cwd absolute
public record LaunchSpec(
    String processId,
    String cmd,
    List<String> args,
    Map<String, String> environment,
    String cwd,
    User user,
    Stdio stdio) {
  public LaunchSpec {
    args = List.copyOf(args);
  }
}
