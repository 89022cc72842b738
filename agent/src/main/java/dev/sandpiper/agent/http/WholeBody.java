package dev.sandpiper.agent.http;

import io.netty.buffer.ByteBuf;
import java.util.Arrays;

/// Collects the whole body of a request, for routes whose bodies are small. On the exchange's event loop.
public final class WholeBody implements HttpExchange.Listener {
  /// What a client may make the agent keep without asking; about what its connection may hold anyway.
  private static final int SMALL_BYTES = 16 * 1024;

  private static final int FIRST_BYTES = 1024;

  /// What comes of it: exactly one of [#onBody], [#onTooLong] and [#onAborted], or a false [#onLarge].
  public interface Receiver {
    void onBody(byte[] body);

    /// The body is longer than the limit. Nothing more of it is read.
    void onTooLong();

    /// The body is longer than 16 KiB: whether it may go on. If not, this has answered, and nothing more of it is read.
    default boolean onLarge() {
      return true;
    }

    /// The client has gone before the body was complete.
    default void onAborted() {}
  }

  private final HttpExchange exchange;
  private final int limit;
  private final Receiver receiver;
  private byte[] body = new byte[0];
  private int length;
  private boolean done;

  private WholeBody(HttpExchange exchange, int limit, Receiver receiver) {
    this.exchange = exchange;
    this.limit = limit;
    this.receiver = receiver;
  }

  /// Starts to collect.
  ///
  /// @param limit the most bytes that are kept
  public static void collect(HttpExchange exchange, int limit, Receiver receiver) {
    exchange.listen(new WholeBody(exchange, limit, receiver));
    exchange.request();
  }

  @Override
  public void onData(ByteBuf data) {
    int bytes = data.readableBytes();
    if (done) {
      return;
    }
    if (bytes > limit - length) {
      done = true;
      body = new byte[0];
      receiver.onTooLong();
      return;
    }
    if (length <= SMALL_BYTES && length + bytes > SMALL_BYTES && !receiver.onLarge()) {
      done = true;
      body = new byte[0];
      return;
    }
    if (length + bytes > body.length) {
      int grown = (int) Math.min(limit, Math.max(FIRST_BYTES, body.length * 2L));
      body = Arrays.copyOf(body, Math.max(length + bytes, grown));
    }
    data.readBytes(body, length, bytes);
    length += bytes;
    exchange.request();
  }

  @Override
  public void onEnd(Headers trailers) {
    if (!done) {
      done = true;
      byte[] whole = Arrays.copyOf(body, length);
      body = new byte[0];
      receiver.onBody(whole);
    }
  }

  @Override
  public void onAborted() {
    if (!done) {
      done = true;
      receiver.onAborted();
    }
  }
}
