package dev.sandpiper.agent.process;

import dev.sandpiper.agent.launch.Stdio;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// What a caller asks for when it starts a process.
///
/// @param cmd the command, looked up on the `PATH` of the final environment
/// @param args its arguments
/// @param environment variables that the caller sets, over all others
/// @param cwd working directory as the caller wrote it; empty for the default
/// @param user name of the account to run as; empty for the default user
/// @param tag the caller's own name for the process
/// @param stdio pipes or a terminal
/// @param timeLimit how long it may live; counted from just before the spawn
/// @param key the caller's key for this start: the same key with the same request is the same process
/// @param ephemeral whether it is forgotten soon after its end
public record StartSpec(
    String cmd,
    List<String> args,
    Map<String, String> environment,
    Optional<String> cwd,
    Optional<String> user,
    Optional<String> tag,
    Stdio stdio,
    Optional<Duration> timeLimit,
    Optional<String> key,
    boolean ephemeral) {

  /// Copies the collections.
  public StartSpec {
    args = List.copyOf(args);
    environment = Map.copyOf(environment);
  }

  /// An ordinary start without a key.
  public StartSpec(
      String cmd,
      List<String> args,
      Map<String, String> environment,
      Optional<String> cwd,
      Optional<String> user,
      Optional<String> tag,
      Stdio stdio,
      Optional<Duration> timeLimit) {
    this(cmd, args, environment, cwd, user, tag, stdio, timeLimit, Optional.empty(), false);
  }
}
