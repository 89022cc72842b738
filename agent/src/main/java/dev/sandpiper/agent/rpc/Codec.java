package dev.sandpiper.agent.rpc;

import io.netty.buffer.ByteBuf;
import java.util.function.IntFunction;

/// Turns messages into bytes and back. Stateless, for any thread.
public interface Codec {
  /// `json` or `proto`, as in content types.
  String name();

  boolean isJson();

  /// Bytes that are no such message are refused by a `StatusRuntimeException` (`invalid_argument`).
  Object decode(RpcMethod method, byte[] bytes);

  byte[] encode(RpcMethod method, Object message);

  /// Encodes into a buffer that `allocate` gives for the message's size, behind what it already holds.
  default ByteBuf encode(RpcMethod method, Object message, IntFunction<ByteBuf> allocate) {
    byte[] bytes = encode(method, message);
    return allocate.apply(bytes.length).writeBytes(bytes);
  }
}
