package dev.sandpiper.agent.launch;

/// What the child's standard streams are.
public sealed interface Stdio {
  /// stdout and stderr apart; stdin a pipe that can be closed, or `/dev/null`.
  record Pipes(boolean stdin) implements Stdio {}

  /// One terminal for all three, the child's controlling terminal, with its size set before the program starts.
  record Terminal(PtySize size) implements Stdio {}
}
