package dev.sandpiper.agent.process;

import dev.sandpiper.agent.launch.Child;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/// The facts of a process as they are told, and kept once it has ended.
final class Facts {
  /// Where its descriptors were found.
  private static final Set<String> PLACES =
      Set.of(Child.FIFO_STDIN, Child.FIFO_STDOUT, Child.FIFO_STDERR, Child.FIFO_PTY, Child.PTY);

  private Facts() {}

  /// Without what leads nowhere any more.
  static Map<String, String> withoutPlaces(Map<String, String> facts) {
    if (PLACES.containsAll(facts.keySet())) {
      return Map.of();
    }
    return facts.entrySet().stream()
        .filter(fact -> !PLACES.contains(fact.getKey()))
        .collect(Collectors.toUnmodifiableMap(Map.Entry::getKey, Map.Entry::getValue));
  }
}
