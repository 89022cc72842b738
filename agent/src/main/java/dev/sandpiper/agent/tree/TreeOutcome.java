package dev.sandpiper.agent.tree;

import java.util.List;

/// What became of a tree.
///
/// @param signalled who got the signal, in the order of their pids
/// @param survivors after a kill whoever is still there; after another signal whom it could not be sent to. Processes
///     of which nobody can tell whether they belong are among them, and were not signalled
/// @param gone nobody is left, and that was checked after the last signal with a look at every process
/// @param limits what the look could not see, in words; not empty means that {@code gone} is false
public record TreeOutcome(
    List<TreeMember> signalled, List<Survivor> survivors, boolean gone, List<String> limits) {
  /// Copies the lists.
  public TreeOutcome {
    signalled = List.copyOf(signalled);
    survivors = List.copyOf(survivors);
    limits = List.copyOf(limits);
  }
}
