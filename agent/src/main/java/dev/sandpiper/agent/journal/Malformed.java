package dev.sandpiper.agent.journal;

import java.io.IOException;
import java.io.Serial;

/// Bytes of a journal that make no sense.
final class Malformed extends IOException {
  @Serial private static final long serialVersionUID = 1L;

  Malformed(String message) {
    super(message);
  }
}
