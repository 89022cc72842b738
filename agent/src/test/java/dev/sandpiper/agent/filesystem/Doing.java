package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.accounts.User;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/// File tasks, waited for.
final class Doing {
  private Doing() {}

  static <T> CompletableFuture<T> start(FileWork work, User user, FileTask<T> task) {
    CompletableFuture<T> answer = new CompletableFuture<>();
    work.submit(
        user,
        task,
        new FileCallback<T>() {
          @Override
          public void done(T result) {
            answer.complete(result);
          }

          @Override
          public void failed(FileFailure failure) {
            answer.completeExceptionally(failure);
          }
        });
    return answer;
  }

  static <T> T now(FileWork work, User user, FileTask<T> task)
      throws FileFailure, InterruptedException {
    try {
      return start(work, user, task).get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof FileFailure failure) {
        throw failure;
      }
      throw new IllegalStateException(e);
    }
  }
}
