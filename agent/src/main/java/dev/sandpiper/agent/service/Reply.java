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
    send(message, Status.OK, new Metadata());
  }

  void fail(Status status) {
    fail(status, new Metadata());
  }

  void fail(Status status, Metadata trailers) {
    send(null, status, trailers);
  }

  private void send(@Nullable T message, Status status, Metadata trailers) {
    executor.execute(() -> {
      if (call.isCancelled()) {
        return;
      }
      if (message != null) {
        call.sendHeaders(new Metadata());
        call.sendMessage(message);
      }
      call.close(status, trailers);
    });
  }
}
