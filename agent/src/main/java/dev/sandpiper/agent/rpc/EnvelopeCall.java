package dev.sandpiper.agent.rpc;

import dev.sandpiper.agent.http.HttpExchange;
import io.grpc.Deadline;
import io.netty.buffer.ByteBuf;
import java.nio.channels.FileChannel;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// A call whose response is a sequence of envelopes, as in gRPC, gRPC-Web and streamed Connect.
public abstract class EnvelopeCall extends RpcCall {
  /// Below this, reading the bytes costs less than another system call to send them from the file.
  private static final int SENDFILE_FROM_BYTES = 16 * 1024;

  private final Compression compression;
  private final int compressFromBytes;

  /// @param compression of the response
  protected EnvelopeCall(
      HttpExchange exchange,
      RpcMethod method,
      Codec codec,
      MessageReader reader,
      @Nullable Deadline deadline,
      Compression compression,
      RpcSettings settings) {
    super(exchange, method, codec, reader, deadline);
    this.compression = compression;
    this.compressFromBytes = settings.compressFromBytes();
  }

  @Override
  protected final ByteBuf encode(Object message) {
    if (compression == Compression.IDENTITY) {
      return codec.encode(
          method,
          message,
          bytes ->
              exchange.newBuffer(EnvelopeReader.HEAD_BYTES + bytes).writeByte(0).writeInt(bytes));
    }
    return envelope(codec.encode(method, message), 0);
  }

  /// Puts bytes into an envelope, compressed where that was negotiated and is worth it.
  protected final ByteBuf envelope(byte[] plain, int flags) {
    boolean compress = compression != Compression.IDENTITY && plain.length >= compressFromBytes;
    byte[] bytes = compress ? compression.compress(plain) : plain;
    return exchange
        .newBuffer(EnvelopeReader.HEAD_BYTES + bytes.length)
        .writeByte(compress ? flags | EnvelopeReader.COMPRESSED : flags)
        .writeInt(bytes.length)
        .writeBytes(bytes);
  }

  @Override
  protected void writeMessage(ByteBuf encoded) {
    exchange.write(encoded);
  }

  @Override
  protected final void sendPayload(PayloadMessage message) {
    boolean kept = false;
    try {
      if (compression != Compression.IDENTITY) {
        sendEncoded(envelope(PayloadWriter.materialise(message, codec.isJson()), 0));
      } else if (codec.isJson()) {
        sendEncoded(PayloadWriter.jsonEnvelope(exchange, message));
      } else {
        FileSlice slice =
            message.payloadBytes() >= SENDFILE_FROM_BYTES && exchange.hasSendfile()
                ? message.file()
                : null;
        if (slice == null) {
          sendEncoded(PayloadWriter.protoEnvelope(exchange, message));
        } else {
          kept = true;
          sendFile(message, slice);
        }
      }
    } finally {
      if (!kept) {
        message.release();
      }
    }
  }

  private void sendFile(PayloadMessage message, FileSlice slice) {
    ByteBuf prefix = PayloadWriter.protoPrefix(exchange, message);
    Runnable release =
        () -> {
          slice.release().run();
          message.release();
        };
    onLoop(() -> {
      if (isOver()) {
        prefix.release();
        release.run();
      } else {
        beforeMessage();
        exchange.writeFile(prefix, slice.file(), slice.position(), message.payloadBytes(), release);
      }
    });
  }

  @Override
  protected final void sendWhole(EncodedMessage message) {
    FileChannel file = message.file();
    int length = message.length();
    if (file != null) {
      onLoop(() -> {
        if (isOver()) {
          message.release();
        } else {
          beforeMessage();
          ByteBuf prefix = exchange.newBuffer(EnvelopeReader.HEAD_BYTES).writeByte(0);
          exchange.writeFile(prefix.writeInt(length), file, 0, length, message::release);
        }
      });
    } else if (compression == Compression.IDENTITY) {
      sendEncoded(
          exchange
              .newBuffer(EnvelopeReader.HEAD_BYTES + length)
              .writeByte(0)
              .writeInt(length)
              .writeBytes(message.bytes(), 0, length));
    } else {
      sendEncoded(envelope(Arrays.copyOf(message.bytes(), length), 0));
    }
  }
}
