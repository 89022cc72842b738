package dev.sandpiper.agent.rpc;

import dev.sandpiper.agent.auth.Caller;
import dev.sandpiper.agent.http.HttpExchange;
import io.grpc.Attributes;
import io.grpc.Grpc;
import java.net.SocketAddress;
import java.util.concurrent.ScheduledExecutorService;

/// What a service can read from `ServerCall.getAttributes`.
public final class RpcAttributes {
  /// Runs tasks serially with the call's own callbacks, on the thread that the call's [Dispatch] says. A task that throws
  /// ends the call with `internal`. Only `execute` and the one-shot `schedule` methods; it cannot be shut down.
  public static final Attributes.Key<ScheduledExecutorService> EXECUTOR =
      Attributes.Key.create("rpc-executor");

  /// The size of a payload that this call's wire format sends best.
  public static final Attributes.Key<Integer> PAYLOAD_BYTES =
      Attributes.Key.create("rpc-payload-bytes");

  /// Whether messages are JSON, for a service that sends an [EncodedMessage].
  public static final Attributes.Key<Boolean> JSON = Attributes.Key.create("rpc-json");

  public static final Attributes.Key<String> HTTP_PATH = Attributes.Key.create("rpc-http-path");

  /// What follows the `?`, as sent; absent without one.
  public static final Attributes.Key<String> HTTP_QUERY = Attributes.Key.create("rpc-http-query");

  public static final Attributes.Key<SocketAddress> REMOTE_ADDRESS =
      Grpc.TRANSPORT_ATTR_REMOTE_ADDR;

  /// Absent where no filter found out who calls.
  public static final Attributes.Key<Caller> CALLER = Attributes.Key.create("rpc-caller");

  private RpcAttributes() {}

  static Attributes of(
      HttpExchange exchange, ScheduledExecutorService executor, int payloadBytes, boolean json) {
    Attributes.Builder builder =
        Attributes.newBuilder()
            .set(EXECUTOR, executor)
            .set(PAYLOAD_BYTES, payloadBytes)
            .set(JSON, json)
            .set(HTTP_PATH, exchange.path())
            .set(REMOTE_ADDRESS, exchange.remoteAddress());
    String query = exchange.query();
    if (query != null) {
      builder.set(HTTP_QUERY, query);
    }
    Caller caller = exchange.get(Caller.ATTRIBUTE);
    if (caller != null) {
      builder.set(CALLER, caller);
    }
    return builder.build();
  }
}
