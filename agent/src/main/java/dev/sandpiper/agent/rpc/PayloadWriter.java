package dev.sandpiper.agent.rpc;

import dev.sandpiper.agent.http.HttpExchange;
import io.netty.buffer.ByteBuf;
import io.netty.util.concurrent.FastThreadLocal;
import java.nio.ByteBuffer;
import java.util.Base64;

/// Lays payload messages into the outgoing buffer: from the page cache, with one copy that base64 needs, to the socket.
///
/// The JDK's base64 is fast on arrays only and cannot write at an offset, so the way is: `pread` into the end of the
/// outgoing buffer, copy to an array, encode to an array, copy back over it. Both arrays belong to the event loop.
final class PayloadWriter {
  /// Arrays up to the preferred payload of JSON are kept; what is larger, or is encoded off the loop, makes its own.
  private static final int KEPT_BYTES = RpcCall.JSON_PAYLOAD_BYTES;

  private static final FastThreadLocal<Scratch> SCRATCH =
      new FastThreadLocal<>() {
        @Override
        protected Scratch initialValue() {
          return new Scratch(KEPT_BYTES);
        }
      };

  private static final class Scratch {
    final byte[] raw;
    final byte[] encoded;

    Scratch(int rawBytes) {
      raw = new byte[rawBytes];
      encoded = new byte[encodedBytes(rawBytes)];
    }
  }

  private PayloadWriter() {}

  static int encodedBytes(int rawBytes) {
    return (rawBytes + 2) / 3 * 4;
  }

  /// An envelope with the message as JSON.
  static ByteBuf jsonEnvelope(HttpExchange exchange, PayloadMessage message) {
    byte[] head = message.jsonHead();
    byte[] tail = message.jsonTail();
    int raw = message.payloadBytes();
    int encoded = encodedBytes(raw);
    int length = head.length + encoded + tail.length;
    ByteBuf buffer = exchange.newBuffer(EnvelopeReader.HEAD_BYTES + length);
    try {
      buffer.writeByte(0).writeInt(length).writeBytes(head);
      int at = buffer.writerIndex();
      message.readPayload(buffer.internalNioBuffer(at, raw));
      Scratch scratch =
          raw <= KEPT_BYTES && exchange.eventLoop().inEventLoop()
              ? SCRATCH.get()
              : new Scratch(raw);
      // The encoder takes whole arrays; what is shorter than ours needs one of its own, which dies
      // young.
      byte[] source = raw == scratch.raw.length ? scratch.raw : new byte[raw];
      buffer.getBytes(at, source);
      int bytes = Base64.getEncoder().encode(source, scratch.encoded);
      return buffer.writeBytes(scratch.encoded, 0, bytes).writeBytes(tail);
    } catch (Throwable e) {
      buffer.release();
      throw e;
    }
  }

  /// An envelope with the binary message.
  static ByteBuf protoEnvelope(HttpExchange exchange, PayloadMessage message) {
    byte[] head = message.protoHead();
    int raw = message.payloadBytes();
    ByteBuf buffer = exchange.newBuffer(EnvelopeReader.HEAD_BYTES + head.length + raw);
    try {
      buffer.writeByte(0).writeInt(head.length + raw).writeBytes(head);
      message.readPayload(buffer.internalNioBuffer(buffer.writerIndex(), raw));
      return buffer.writerIndex(buffer.writerIndex() + raw);
    } catch (Throwable e) {
      buffer.release();
      throw e;
    }
  }

  /// Everything of an envelope but the payload.
  static ByteBuf protoPrefix(HttpExchange exchange, PayloadMessage message) {
    byte[] head = message.protoHead();
    return exchange
        .newBuffer(EnvelopeReader.HEAD_BYTES + head.length)
        .writeByte(0)
        .writeInt(head.length + message.payloadBytes())
        .writeBytes(head);
  }

  /// The whole message in memory, to be compressed or sent where there are no envelopes.
  static byte[] materialise(PayloadMessage message, boolean json) {
    int raw = message.payloadBytes();
    ByteBuffer direct = ByteBuffer.allocateDirect(raw);
    message.readPayload(direct);
    byte[] payload = new byte[raw];
    direct.flip().get(payload);
    byte[] body = json ? Base64.getEncoder().encode(payload) : payload;
    byte[] head = json ? message.jsonHead() : message.protoHead();
    byte[] tail = json ? message.jsonTail() : new byte[0];
    return ByteBuffer.allocate(head.length + body.length + tail.length)
        .put(head)
        .put(body)
        .put(tail)
        .array();
  }
}
