package dev.sandpiper.agent.machine;

import java.util.Optional;

/// Where the agent itself is among the control groups.
public final class OwnControlGroup {
  private OwnControlGroup() {}

  /// The agent's group in the hierarchy of version 2 (cgroups(7)), as a directory; empty where that is not mounted.
  /// Reads two files of `/proc`.
  public static Optional<String> directory() {
    return new Cgroups(new KernelFiles("")).own();
  }
}
