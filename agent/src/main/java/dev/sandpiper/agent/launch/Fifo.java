package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.posix.Posix;
import org.jspecify.annotations.Nullable;

/// A FIFO with both ends open, used for one process and never again: an earlier user may have opened it for itself.
///
/// @param path null for an anonymous pipe
record Fifo(@Nullable String path, int readFd, int writeFd) {
  void closeEnds() {
    Posix.close(readFd);
    Posix.close(writeFd);
  }
}
