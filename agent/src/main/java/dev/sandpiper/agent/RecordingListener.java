package dev.sandpiper.agent;

import dev.sandpiper.agent.journal.JournalEntry.EmitterPosition;
import dev.sandpiper.agent.launch.Child;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessEnd;
import dev.sandpiper.agent.process.ProcessListener;
import dev.sandpiper.agent.record.EndFacts;
import dev.sandpiper.agent.record.ProcessFacts;
import dev.sandpiper.agent.record.RecordEmitter;
import org.jspecify.annotations.Nullable;

/// Tells the record emitter of processes, which knows nothing of them but what a record says.
final class RecordingListener implements ProcessListener {
  private final RecordEmitter emitter;
  private final boolean arguments;

  /// @param arguments whether records hold the arguments of commands, which may be secrets
  RecordingListener(RecordEmitter emitter, boolean arguments) {
    this.emitter = emitter;
    this.arguments = arguments;
  }

  @Override
  public void onStarted(ManagedProcess process) {
    emitter.processStarted(facts(process), process.terminal() ? null : process.log());
  }

  @Override
  public void onRecovered(ManagedProcess process, @Nullable EmitterPosition position) {
    ProcessEnd end = process.end();
    boolean allLeft = position != null && position.state().containsKey(EmitterPosition.ALL_LEFT);
    if (allLeft || (end != null && !emitter.keptBefore())) {
      return;
    }
    emitter.processAdopted(facts(process), process.terminal() ? null : process.log());
    if (end != null) {
      onEnded(process, end);
    }
  }

  private ProcessFacts facts(ManagedProcess process) {
    return new ProcessFacts(
        process.processId(),
        process.pid(),
        process.tag().orElse(null),
        arguments ? process.commandLine() : process.cmd(),
        process.userName(),
        process.timeLimit().orElse(null),
        process.startedAt());
  }

  @Override
  public void onEnded(ManagedProcess process, ProcessEnd end) {
    emitter.processEnded(
        process.processId(),
        new EndFacts(
            end.exitCode(),
            end.exited(),
            end.status(),
            error(process, end),
            end.stdoutBytes(),
            end.stderrBytes(),
            end.ptyBytes(),
            end.at()));
  }

  /// What went wrong in its life, and what of it was lost when the agent was killed.
  private static @Nullable String error(ManagedProcess process, ProcessEnd end) {
    String lost = process.facts().get(Child.LOST);
    if (lost == null) {
      return end.success() ? null : end.status();
    }
    return (end.success() ? "" : end.status() + "; ") + "lost: " + lost;
  }
}
