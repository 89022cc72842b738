package dev.sandpiper.agent.process;

/// Names one process, as E2B's clients do.
public sealed interface Selector {
  /// By kernel id.
  record ByPid(int pid) implements Selector {}

  /// By the caller's own name.
  record ByTag(String tag) implements Selector {}
}
