package dev.sandpiper.agent.service;

import dev.sandpiper.agent.accounts.Accounts;
import dev.sandpiper.agent.accounts.BadPathException;
import dev.sandpiper.agent.accounts.UnknownUserException;
import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.filesystem.FileWork;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;

/// A unary method on files: finds out for whom it is, then hands the request on.
final class FileHandler<Q> implements UnaryHandler.CallMethod<Q, Object> {
  /// What the method does. Runs on the event loop and must not touch a file there.
  @FunctionalInterface
  interface Method<Q> {
    void handle(Q request, FileCall call) throws BadPathException;
  }

  private final Accounts accounts;
  private final FileWork work;
  private final Method<Q> method;

  FileHandler(Accounts accounts, FileWork work, Method<Q> method) {
    this.accounts = accounts;
    this.work = work;
    this.method = method;
  }

  @Override
  public void handle(Q request, ServerCall<Q, Object> call, Metadata headers) {
    Status refusal;
    try {
      User user = accounts.user(Calls.userName(call));
      method.handle(request, new FileCall(call, headers, accounts, work, user));
      return;
    } catch (UnknownUserException unknown) {
      refusal = Status.UNAUTHENTICATED.withDescription(unknown.getMessage());
    } catch (BadPathException bad) {
      refusal = Status.INVALID_ARGUMENT.withDescription(bad.getMessage());
    }
    call.close(refusal, new Metadata());
  }
}
