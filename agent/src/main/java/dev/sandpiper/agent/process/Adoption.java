package dev.sandpiper.agent.process;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What a new agent does with processes that have no end in the journal.
final class Adoption {
  private static final Logger LOG = LoggerFactory.getLogger("process");

  private final ProcessManager processes;

  Adoption(ProcessManager processes) {
    this.processes = processes;
  }

  /// Called for each of them, before [dev.sandpiper.agent.output.OutputStore#recoverRest].
  void adopt(Recovery.Unended lost) {
    if (processes.get(lost.started().processId()).isPresent()) {
      throw new IllegalStateException(lost.started().processId() + " is known already");
    }
    LOG.warn(
        "process {} (pid {}) of an earlier agent had no end when that agent stopped; its output up to then is kept",
        lost.started().processId(),
        lost.started().pid());
  }
}
