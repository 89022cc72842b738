package dev.sandpiper.agent.rpc;

import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/// Cuts the body of a request into messages, still encoded but decompressed. On the event loop only.
///
/// Every method throws a `StatusRuntimeException` for a body that breaks the wire format or a limit.
public interface MessageReader {
  /// Takes what it needs of the next piece of body; pieces may be cut anywhere.
  void feed(ByteBuf data);

  /// The body is complete.
  void end();

  /// The next message, or null if more of the body is needed.
  byte @Nullable [] next();

  /// How much of a message that is not complete is held, in bytes.
  int held();

  /// How long that message will be; -1 where it does not say.
  int length();

  /// Whether the next message, which is complete, is compressed and unpacks to more than `bytes`.
  boolean unpacksTo(int bytes);

  /// Whether no byte is left over. Before `end`, a part of a message may still be missing.
  boolean isEmpty();
}
