package dev.sandpiper.agent.service;

import dev.sandpiper.agent.auth.Caller;
import dev.sandpiper.agent.rpc.RpcAttributes;
import io.grpc.Attributes;
import io.grpc.ServerCall;
import java.util.Optional;
import java.util.concurrent.ScheduledExecutorService;
import org.jspecify.annotations.Nullable;

/// What the engine says of a call.
final class Calls {
  /// Where the engine does not say: half a default pipe.
  private static final int DEFAULT_PAYLOAD_BYTES = 32 * 1024;

  private Calls() {}

  /// The call's own executor: everything that touches the call runs there.
  static ScheduledExecutorService executor(ServerCall<?, ?> call) {
    ScheduledExecutorService executor = get(call, RpcAttributes.EXECUTOR);
    if (executor == null) {
      throw new IllegalStateException("the call has no executor");
    }
    return executor;
  }

  /// The size of payload that the call's wire format carries best.
  static int payloadBytes(ServerCall<?, ?> call) {
    Integer bytes = get(call, RpcAttributes.PAYLOAD_BYTES);
    return bytes == null ? DEFAULT_PAYLOAD_BYTES : bytes;
  }

  /// The account that the caller asks to act as; empty for the default one.
  static Optional<String> userName(ServerCall<?, ?> call) {
    Caller caller = get(call, RpcAttributes.CALLER);
    return caller == null ? Optional.empty() : Optional.of(caller.userName());
  }

  private static <T> @Nullable T get(ServerCall<?, ?> call, Attributes.Key<T> key) {
    return call.getAttributes().get(key);
  }
}
