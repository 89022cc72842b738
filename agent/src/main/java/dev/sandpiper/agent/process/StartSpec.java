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
public record StartSpec(
    String cmd,
    List<String> args,
    Map<String, String> environment,
    Optional<String> cwd,
    Optional<String> user,
    Optional<String> tag,
    Stdio stdio,
    Optional<Duration> timeLimit) {

  /// Copies the collections.
  public StartSpec {
    args = List.copyOf(args);
    environment = Map.copyOf(environment);
  }

  /// The client's command line, joined with spaces, for messages and records.
  public String commandLine() {
    return args.isEmpty() ? cmd : cmd + " " + String.join(" ", args);
  }
}
