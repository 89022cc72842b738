package dev.sandpiper.agent.launch;

import java.util.Map;
import java.util.OptionalLong;

/// Descriptors that the agent had when it was started, handed down by the one before it.
@FunctionalInterface
public interface Inherited {
  /// In place of a process id: the two ends of the keeper's socket pair.
  String KEEPER = "keeper";

  /// Names of the keeper's ends.
  String SEND = "send";

  String RECEIVE = "receive";

  /// Nothing was handed down.
  Inherited NOTHING = _ -> Map.of();

  /// The soft limit on open files that children get: the one that the first agent was started with, and that agents since have
  /// raised for themselves. Empty where this agent is the first.
  default OptionalLong openFiles() {
    return OptionalLong.empty();
  }

  /// What there is of a process, by the names in {@link Child}; the caller owns it. Close-on-exec and non-blocking.
  Map<String, Integer> of(String processId);
}
