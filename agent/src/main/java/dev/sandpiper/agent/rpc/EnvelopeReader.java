package dev.sandpiper.agent.rpc;

import io.grpc.Status;
import io.netty.buffer.ByteBuf;
import java.util.ArrayDeque;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Cuts a body into envelopes: one byte of flags, four of length (big-endian), the message.
///
/// The length is checked before anything is sized by it, and even then the array grows with what has arrived, so a
/// client cannot make us hold more than it sends. Messages wait here only while the service has not asked for them; as
/// the body is pulled, that is at most what one piece of it holds.
public final class EnvelopeReader implements MessageReader {
  public static final int HEAD_BYTES = 5;
  public static final int COMPRESSED = 1;
  private static final int FIRST_BYTES = 16 * 1024;

  private final Compression compression;
  private final int limit;
  private final int ignoredFlag;
  private final ArrayDeque<Message> ready = new ArrayDeque<>(2);
  private final byte[] head = new byte[HEAD_BYTES];
  private int headBytes;
  private byte[] message = new byte[0];
  private int messageBytes;
  private int messageLength = -1; // -1: the head is not complete

  /// Unpacked only when it is asked for, or one piece of body could unpack to thousands of large messages.
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Message(byte[] bytes, boolean compressed) {}

  /// @param ignoredFlag envelopes with this bit are skipped (0: none are)
  public EnvelopeReader(Compression compression, int limit, int ignoredFlag) {
    this.compression = compression;
    this.limit = limit;
    this.ignoredFlag = ignoredFlag;
  }

  @Override
  public void feed(ByteBuf data) {
    while (data.isReadable() || messageLength == messageBytes) {
      if (messageLength < 0) {
        int bytes = Math.min(HEAD_BYTES - headBytes, data.readableBytes());
        data.readBytes(head, headBytes, bytes);
        headBytes += bytes;
        if (headBytes == HEAD_BYTES) {
          beginMessage();
        }
      } else {
        int bytes = Math.min(messageLength - messageBytes, data.readableBytes());
        if (messageBytes + bytes > message.length) {
          message =
              Arrays.copyOf(
                  message,
                  (int)
                      Math.min(messageLength, Math.max(messageBytes + bytes, message.length * 2L)));
        }
        data.readBytes(message, messageBytes, bytes);
        messageBytes += bytes;
        if (messageBytes == messageLength) {
          endMessage();
        }
      }
    }
  }

  private void beginMessage() {
    long length =
        (head[1] & 0xffL) << 24 | (head[2] & 0xff) << 16 | (head[3] & 0xff) << 8 | (head[4] & 0xff);
    if (length > limit) {
      throw Compression.tooLarge(limit);
    }
    int flags = head[0] & 0xff;
    if ((flags & ~(COMPRESSED | ignoredFlag)) != 0) {
      throw Status.INVALID_ARGUMENT
          .withDescription(
              "protocol error: invalid envelope flags " + Integer.toBinaryString(flags))
          .asRuntimeException();
    }
    if ((flags & COMPRESSED) != 0 && compression == Compression.IDENTITY) {
      throw Status.INTERNAL
          .withDescription("protocol error: sent compressed message without compression support")
          .asRuntimeException();
    }
    messageLength = (int) length;
    messageBytes = 0;
    message = new byte[Math.min(messageLength, FIRST_BYTES)];
  }

  private void endMessage() {
    int flags = head[0] & 0xff;
    byte[] whole = message;
    message = new byte[0];
    messageBytes = 0;
    messageLength = -1;
    headBytes = 0;
    if ((flags & ignoredFlag) == 0) {
      ready.add(new Message(whole, (flags & COMPRESSED) != 0));
    }
  }

  @Override
  public void end() {
    if (headBytes > 0) {
      throw Status.INVALID_ARGUMENT
          .withDescription(
              messageLength < 0
                  ? "protocol error: incomplete envelope: " + headBytes + " of 5 bytes"
                  : "protocol error: promised "
                      + messageLength
                      + " bytes in enveloped message, got "
                      + messageBytes)
          .asRuntimeException();
    }
  }

  @Override
  public byte @Nullable [] next() {
    Message next = ready.poll();
    if (next == null) {
      return null;
    }
    return next.compressed ? compression.decompress(next.bytes, limit) : next.bytes;
  }

  @Override
  public int held() {
    return messageBytes;
  }

  @Override
  public int length() {
    return messageLength;
  }

  @Override
  public boolean unpacksTo(int bytes) {
    Message next = ready.peek();
    return next != null
        && next.compressed
        && compression.unpacksTo(next.bytes, next.bytes.length, bytes);
  }

  @Override
  public boolean isEmpty() {
    return ready.isEmpty();
  }
}
