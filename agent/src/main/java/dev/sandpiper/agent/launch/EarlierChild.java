package dev.sandpiper.agent.launch;

import java.util.Map;

/// What the journal knows of a process that an earlier agent started, and of whose end it knows nothing.
///
/// @param terminal whether it was started on a terminal
/// @param facts what {@link Child#facts} said then
public record EarlierChild(
    String processId, ProcessIdentity identity, boolean terminal, Map<String, String> facts) {
  public EarlierChild {
    facts = Map.copyOf(facts);
  }
}
