package dev.sandpiper.agent.service;

import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/// The one answer of a unary call, given from any thread. It travels through the call's executor, since a call belongs to
/// its event loop.
final class Reply<T> {
  private final ServerCall<?, T> call;
  private final Executor executor;

  Reply(ServerCall<?, T> call) {
    this.call = call;
    this.executor = Calls.executor(call);
  }

  void ok(T message) {
    send(message, Status.OK);
  }

  void fail(Status status) {
    send(null, status);
  }

  private void send(@Nullable T message, Status status) {
    executor.execute(() -> {
      if (call.isCancelled()) {
        return;
      }
      if (message != null) {
        call.sendHeaders(new Metadata());
        call.sendMessage(message);
      }
      call.close(status, new Metadata());
    });
  }
}
