package dev.sandpiper.agent.launch;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// FIFOs for one purpose, with all ends open, and the box in which the keeper has the agent's ends of them.
///
/// @param fifos two for output, one for input; when the kernel gave none, one whose descriptors hold its negative answer
/// @param box null where the kernel refused one
/// @param refused why there is no box; null when there is one
record Prepared(List<Fifo> fifos, @Nullable Box box, @Nullable String refused) {
  Prepared {
    fifos = List.copyOf(fifos);
  }

  static Prepared failed(int error) {
    return new Prepared(List.of(new Fifo(null, error, error)), null, null);
  }

  /// 0, or what the kernel said.
  int error() {
    return Math.min(0, fifos.getFirst().readFd());
  }

  /// Why the keeper does not have them; null when it does.
  @Nullable String unkept() {
    return box == null ? refused : box.refused();
  }
}
