package dev.sandpiper.agent.http;

import dev.sandpiper.agent.http.HttpExchange.Listener;
import io.netty.buffer.ByteBuf;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/// The body of one request on its way to the listener, who gets a piece for each piece it has asked for.
final class RequestBody {
  private final AbstractExchange exchange;

  /// What came and was not asked for yet. Bounded by what the connection reads ahead; see `consumed`.
  private final ArrayDeque<ByteBuf> pieces = new ArrayDeque<>(2);

  private int bytes;
  private int demand;
  private boolean delivering;
  private boolean ended;
  private boolean endDelivered;
  private @Nullable Headers trailers;

  RequestBody(AbstractExchange exchange) {
    this.exchange = exchange;
  }

  void request() {
    if (!ended && pieces.isEmpty()) {
      exchange.bodyWanted();
    }
    demand++;
    deliver();
  }

  /// A piece came. Takes the buffer over.
  void offer(ByteBuf piece) {
    int length = piece.readableBytes();
    if (length == 0 || exchange.isFinished()) {
      piece.release();
      exchange.consumed(length);
      return;
    }
    pieces.add(piece);
    bytes += length;
    deliver();
  }

  void end(Headers requestTrailers) {
    ended = true;
    trailers = requestTrailers;
    deliver();
  }

  boolean isEnded() {
    return ended;
  }

  int bytes() {
    return bytes;
  }

  /// Hands over what is there and asked for. A listener that asks for more from inside is served by the same loop.
  void deliver() {
    Listener listener = exchange.listener();
    if (delivering || listener == null) {
      return;
    }
    delivering = true;
    try {
      while (demand > 0 && !pieces.isEmpty() && !exchange.isFinished()) {
        demand--;
        ByteBuf piece = pieces.remove();
        int length = piece.readableBytes();
        bytes -= length;
        try {
          listener.onData(piece);
        } finally {
          piece.release();
          exchange.consumed(length);
        }
      }
      Headers last = trailers;
      if (last != null && pieces.isEmpty() && !endDelivered && !exchange.isFinished()) {
        endDelivered = true;
        listener.onEnd(last);
      }
    } catch (Throwable e) {
      exchange.fail(e);
    } finally {
      delivering = false;
    }
  }

  /// Lets go of what was not delivered.
  void clear() {
    int dropped = bytes;
    pieces.forEach(ByteBuf::release);
    pieces.clear();
    bytes = 0;
    if (dropped > 0) {
      exchange.consumed(dropped);
    }
  }
}
