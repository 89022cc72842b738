package dev.sandpiper.agent.rpc;

import io.netty.buffer.ByteBuf;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// The whole body is one message.
public final class WholeBodyReader implements MessageReader {
  private static final int FIRST_BYTES = 1024;

  private final Compression compression;
  private final int limit;
  private byte[] body = new byte[0];
  private int length;
  private boolean ended;
  private boolean taken;

  public WholeBodyReader(Compression compression, int limit) {
    this.compression = compression;
    this.limit = limit;
  }

  @Override
  public void feed(ByteBuf data) {
    int bytes = data.readableBytes();
    if (bytes > limit - length) {
      throw Compression.tooLarge(limit);
    }
    if (length + bytes > body.length) {
      body =
          Arrays.copyOf(
              body,
              Math.max(
                  Math.max(length + bytes, FIRST_BYTES), (int) Math.min(limit, body.length * 2L)));
    }
    data.readBytes(body, length, bytes);
    length += bytes;
  }

  @Override
  public void end() {
    ended = true;
  }

  @Override
  public byte @Nullable [] next() {
    if (!ended || taken) {
      return null;
    }
    taken = true;
    byte[] whole = length == body.length ? body : Arrays.copyOf(body, length);
    body = new byte[0];
    return compression.decompress(whole, limit);
  }

  @Override
  public int held() {
    return taken ? 0 : length;
  }

  @Override
  public int length() {
    return -1;
  }

  @Override
  public boolean unpacksTo(int bytes) {
    return ended && !taken && compression.unpacksTo(body, length, bytes);
  }

  @Override
  public boolean isEmpty() {
    return taken;
  }
}
