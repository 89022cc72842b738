package dev.sandpiper.agent.filesystem;

/// Told once how a [FileTask] went, on the thread that ran it, which has the agent's own identity again; or on the
/// submitting thread where the task was refused. Must not block.
public interface FileCallback<T> {
  void done(T result);

  void failed(FileFailure failure);
}
