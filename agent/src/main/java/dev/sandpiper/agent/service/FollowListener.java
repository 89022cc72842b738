package dev.sandpiper.agent.service;

import io.grpc.ServerCall;
import io.grpc.Status;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// What `Start`, `Connect` and `Read` have in common: one request, then the socket's readiness moves the output on, and a client that
/// leaves is forgotten without a word to the process.
final class FollowListener<Q> extends ServerCall.Listener<Q> {
  private final Following output;
  private final Consumer<Q> method;
  private @Nullable Q request;

  /// Asks for the request.
  ///
  /// @param method called once, with the request, when the client has sent all of it
  FollowListener(ServerCall<Q, ?> call, Following output, Consumer<Q> method) {
    this.output = output;
    this.method = method;
    call.request(2); // one, and the second that would be an error
  }

  @Override
  public void onMessage(Q message) {
    request = message;
  }

  @Override
  public void onHalfClose() {
    if (request == null) {
      output.close(Status.UNIMPLEMENTED.withDescription("the call holds no message"));
    } else {
      method.accept(request);
    }
  }

  @Override
  public void onReady() {
    output.pump();
  }

  @Override
  public void onCancel() {
    output.release();
  }

  @Override
  public void onComplete() {
    output.release();
  }
}
