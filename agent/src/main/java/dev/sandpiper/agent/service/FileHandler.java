package dev.sandpiper.agent.service;

import dev.sandpiper.agent.accounts.Accounts;
import dev.sandpiper.agent.accounts.BadPathException;
import dev.sandpiper.agent.accounts.UnknownUserException;
import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.filesystem.FileWork;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.Status;
import org.jspecify.annotations.Nullable;

/// A unary method on files: finds out for whom it is, then hands the request on.
final class FileHandler<Q> implements ServerCallHandler<Q, Object> {
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
  public ServerCall.Listener<Q> startCall(ServerCall<Q, Object> call, Metadata headers) {
    call.request(2); // one, and the second that would be an error
    return new ServerCall.Listener<>() {
      private @Nullable Q request;

      @Override
      public void onMessage(Q message) {
        request = message;
      }

      @Override
      public void onHalfClose() {
        Status refusal;
        try {
          Q message = request;
          request = null; // may be large, and the call can outlive it by a client's pace
          if (message != null) {
            User user = accounts.user(Calls.userName(call));
            method.handle(message, new FileCall(call, headers, accounts, work, user));
            return;
          }
          refusal = Status.UNIMPLEMENTED.withDescription("the call holds no message");
        } catch (UnknownUserException unknown) {
          refusal = Status.UNAUTHENTICATED.withDescription(unknown.getMessage());
        } catch (BadPathException bad) {
          refusal = Status.INVALID_ARGUMENT.withDescription(bad.getMessage());
        }
        call.close(refusal, new Metadata());
      }
    };
  }
}
