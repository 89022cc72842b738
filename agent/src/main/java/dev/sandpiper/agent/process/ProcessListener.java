package dev.sandpiper.agent.process;

/// Told of every process's start and end, in this order, once each. Called on the spawning thread and on the pipe loop;
/// must not block.
public interface ProcessListener {
  /// The process runs; its log may already hold output.
  void onStarted(ManagedProcess process);

  /// The process has ended; {@link ManagedProcess#end()} is set and the log holds the mark.
  void onEnded(ManagedProcess process, ProcessEnd end);
}
