package dev.sandpiper.tests.harness;

import com.google.protobuf.ByteString;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// Reads and writes the five-byte prefix (flags, big-endian length) that Connect streams, gRPC and gRPC-Web share.
final class Envelopes {
  static final int PREFIX = 5;
  private static final int LONGEST = 64 * 1024 * 1024;

  private final Exchange exchange;
  private byte[] partial = new byte[64 * 1024];
  private int have;

  Envelopes(Exchange exchange) {
    this.exchange = exchange;
  }

  record Envelope(int flags, ByteString payload) {}

  static byte[] of(int flags, byte[] payload) {
    return ByteBuffer.allocate(PREFIX + payload.length)
        .put((byte) flags)
        .putInt(payload.length)
        .put(payload)
        .array();
  }

  /// The next envelope; `null` at the end of the body. After a timeout it goes on where it was.
  @Nullable Envelope next(Deadline deadline) throws TimeoutException {
    if (!fillTo(PREFIX, deadline)) {
      if (have > 0) {
        throw new AssertionError("body ends inside an envelope's prefix");
      }
      return null;
    }
    int length = ByteBuffer.wrap(partial).getInt(1);
    if (length < 0 || length > LONGEST) {
      throw new AssertionError("envelope of " + length + " bytes");
    }
    if (!fillTo(PREFIX + length, deadline)) {
      throw new AssertionError("body ends inside an envelope");
    }
    ByteString payload = ByteString.copyFrom(partial, PREFIX, length);
    have = 0;
    return new Envelope(partial[0] & 0xff, payload);
  }

  private boolean fillTo(int bytes, Deadline deadline) throws TimeoutException {
    if (partial.length < bytes) {
      partial = java.util.Arrays.copyOf(partial, bytes);
    }
    while (have < bytes) {
      int n = exchange.body(partial, have, bytes - have, deadline);
      if (n < 0) {
        return false;
      }
      have += n;
    }
    return true;
  }
}
