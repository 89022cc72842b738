package dev.sandpiper.agent.filesystem;

/// Work on files, run on a thread of [FileWork]: it may block, and must start no thread and no executor, which would
/// inherit the identity that the thread has meanwhile.
@FunctionalInterface
public interface FileTask<T> {
  T run() throws FileFailure;
}
