package dev.sandpiper.agent.journal;

import java.io.IOException;
import java.io.Serial;
import java.nio.file.Path;

/// Another agent works on this state directory.
public final class StateDirectoryInUse extends IOException {
  @Serial private static final long serialVersionUID = 1L;

  StateDirectoryInUse(Path path, String holder) {
    super(
        "--state-dir: %s is in use by another agent (pid %s); stop it, or choose another directory"
            .formatted(path, holder));
  }
}
