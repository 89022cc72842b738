package dev.sandpiper.agent.service;

import dev.sandpiper.agent.process.Selector;
import dev.sandpiper.proto.process.ProcessSelector;
import io.grpc.Status;
import java.util.Optional;

/// From the wire's selector to ours.
final class Selectors {
  static final Status UNSET =
      Status.UNIMPLEMENTED.withDescription("process selector names neither pid nor tag");

  private Selectors() {}

  static Optional<Selector> of(ProcessSelector selector) {
    return switch (selector.getSelectorCase()) {
      case PID -> Optional.of(new Selector.ByPid(selector.getPid()));
      case TAG -> Optional.of(new Selector.ByTag(selector.getTag()));
      case SELECTOR_NOT_SET -> Optional.empty();
    };
  }
}
