package dev.sandpiper.agent.rpc;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// A response message whose bulk comes straight from a file: its bytes around the payload are given for both codecs, so
/// that it is sent without an object tree.
///
/// Handed to `ServerCall.sendMessage` in place of the generated type. It is consumed before `sendMessage` returns, or,
/// where the payload leaves by `sendfile`, kept until it has been written; `release` is called exactly once.
public interface PayloadMessage {
  int payloadBytes();

  /// Everything of the binary message before the payload, nested tags and lengths included; nothing follows it.
  byte[] protoHead();

  /// The JSON before the payload's base64.
  byte[] jsonHead();

  /// The JSON behind the payload's base64.
  byte[] jsonTail();

  /// Fills `target`, a direct buffer with exactly `payloadBytes` remaining.
  int readPayload(ByteBuffer target);

  /// The file, if the payload may be sent from it; null to have `readPayload` called.
  @Nullable FileSlice file();

  /// The engine needs the payload no longer. With a [FileSlice] that was taken, its own `release` is called as well.
  void release();
}
