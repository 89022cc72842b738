package dev.sandpiper.agent.service;

import dev.sandpiper.agent.output.Cancellable;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.Status;
import org.jspecify.annotations.Nullable;

/// A unary method whose answer may come later and from another thread.
final class UnaryHandler<Q, A> implements ServerCallHandler<Q, A> {
  /// What the method does.
  @FunctionalInterface
  interface Method<Q, A> {
    void handle(Q request, Reply<A> reply);
  }

  /// The same for a method that answers on the call itself.
  @FunctionalInterface
  interface CallMethod<Q, A> {
    void handle(Q request, ServerCall<Q, A> call, Metadata headers);
  }

  /// The same for a method that waits for something: what it returns is called off when the call is over, so that a caller who
  /// has gone leaves nothing behind.
  @FunctionalInterface
  interface WaitingMethod<Q, A> {
    Cancellable handle(Q request, ServerCall<Q, A> call, Metadata headers);
  }

  private static final Cancellable NOTHING = () -> {};

  private final WaitingMethod<Q, A> method;

  UnaryHandler(Method<Q, A> method) {
    this((CallMethod<Q, A>) (request, call, _) -> method.handle(request, new Reply<>(call)));
  }

  UnaryHandler(CallMethod<Q, A> method) {
    this.method =
        (request, call, headers) -> {
          method.handle(request, call, headers);
          return NOTHING;
        };
  }

  private UnaryHandler(WaitingMethod<Q, A> method) {
    this.method = method;
  }

  static <Q, A> UnaryHandler<Q, A> waiting(WaitingMethod<Q, A> method) {
    return new UnaryHandler<>(method);
  }

  @Override
  public ServerCall.Listener<Q> startCall(ServerCall<Q, A> call, Metadata headers) {
    call.request(2); // one, and the second that would be an error
    return new ServerCall.Listener<>() {
      private @Nullable Q request;
      private Cancellable awaited = NOTHING;

      @Override
      public void onMessage(Q message) {
        request = message;
      }

      @Override
      public void onHalfClose() {
        Q message = request;
        request = null; // may be large, and the call can outlive it by a client's pace
        if (message == null) {
          call.close(
              Status.UNIMPLEMENTED.withDescription("the call holds no message"), new Metadata());
          return;
        }
        awaited = method.handle(message, call, headers);
      }

      @Override
      public void onCancel() {
        awaited.cancel();
      }

      @Override
      public void onComplete() {
        awaited.cancel();
      }
    };
  }
}
