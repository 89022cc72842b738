package dev.sandpiper.agent.service;

import dev.sandpiper.agent.accounts.Accounts;
import dev.sandpiper.agent.accounts.BadPathException;
import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.filesystem.FileCallback;
import dev.sandpiper.agent.filesystem.FileFailure;
import dev.sandpiper.agent.filesystem.FileTask;
import dev.sandpiper.agent.filesystem.FileWork;
import dev.sandpiper.agent.rpc.RpcAttributes;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// One unary call of the filesystem service: for whom it is, where its work is done, and its one answer, which may be
/// given from any thread.
final class FileCall {
  private static final Metadata.Key<String> USER_AGENT =
      Metadata.Key.of("user-agent", Metadata.ASCII_STRING_MARSHALLER);

  private static final Metadata.Key<String> LEGACY =
      Metadata.Key.of("x-e2b-legacy-sdk", Metadata.ASCII_STRING_MARSHALLER);

  private final ServerCall<?, Object> call;
  private final Executor executor;
  private final Accounts accounts;
  private final FileWork work;
  private final User user;
  private final EntryWire wire;
  private final boolean legacy;

  FileCall(
      ServerCall<?, Object> call, Metadata headers, Accounts accounts, FileWork work, User user) {
    this.call = call;
    this.executor = Calls.executor(call);
    this.accounts = accounts;
    this.work = work;
    this.user = user;
    this.legacy = isLegacy(headers);
    this.wire =
        Boolean.TRUE.equals(call.getAttributes().get(RpcAttributes.JSON))
            ? new EntryJson(legacy)
            : new EntryProto(legacy);
  }

  /// An old client of E2B's that fails on members it does not know (contract, section 1.9).
  static boolean isLegacy(Metadata headers) {
    return "connect-python".equals(headers.get(USER_AGENT));
  }

  User user() {
    return user;
  }

  /// How entries look in this call's answer.
  EntryWire wire() {
    return wire;
  }

  /// Whether nobody waits for the answer any more.
  boolean isCancelled() {
    return call.isCancelled();
  }

  /// What a path of the request means.
  String resolve(String path) throws BadPathException {
    return accounts.resolve(path, user);
  }

  /// Runs a task with the caller's rights; where it fails, the call is answered so.
  <T> void submit(FileTask<T> task, Consumer<T> then) {
    submit(user, task, then, null);
  }

  /// Runs a task with the rights of `whose`. `failed` is run before a failure is answered.
  <T> void submit(User whose, FileTask<T> task, Consumer<T> then, @Nullable Runnable failed) {
    work.submit(
        whose,
        task,
        new FileCallback<T>() {
          @Override
          public void done(T result) {
            then.accept(result);
          }

          @Override
          public void failed(FileFailure failure) {
            if (failed != null) {
              failed.run();
            }
            fail(FileFailures.of(failure));
          }
        });
  }

  /// The agent's own account.
  User self() {
    return accounts.users().self();
  }

  void ok(Object message) {
    send(message, Status.OK);
  }

  void fail(Status status) {
    send(null, status);
  }

  private void send(@Nullable Object message, Status status) {
    executor.execute(() -> {
      if (message != null) {
        Metadata headers = new Metadata();
        if (legacy) {
          headers.put(LEGACY, "true");
        }
        call.sendHeaders(headers);
        call.sendMessage(message); // which lets go of it where the client has gone
      }
      if (!call.isCancelled()) {
        call.close(status, new Metadata());
      }
    });
  }
}
