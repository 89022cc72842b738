package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import io.netty.buffer.ByteBuf;
import java.util.concurrent.atomic.AtomicBoolean;

/// A response whose body is made piece by piece while the client takes it: what waits to be sent is bounded by the
/// exchange, and nothing is made for a client that does not read.
///
/// Everything but [#wake] belongs to the exchange's event loop.
final class PulledBody implements HttpExchange.Listener {
  /// How much a source adds before it comes back: a little more does no harm, the buffer grows.
  static final int PIECE_BYTES = 32 * 1024;

  /// Pieces made in one go before other connections of the same loop get their turn.
  private static final int PIECES_PER_TURN = 8;

  /// How it goes on after a piece.
  enum Next {
    /// There is more, at once when the client takes it.
    MORE,
    /// There is nothing more until [PulledBody#wake].
    WAIT,
    /// This was the last piece.
    END,
    /// The rest cannot be had: the response is broken off, so that it does not look whole.
    BREAK
  }

  /// Makes the body.
  interface Source {
    /// Adds a piece, about [#PIECE_BYTES] at most and perhaps nothing. What it throws breaks the response off.
    Next next(ByteBuf out);

    /// Nothing more is wanted: the body is complete, or the client has gone. Once.
    void close();
  }

  private final HttpExchange exchange;
  private final Source source;
  private final AtomicBoolean woken = new AtomicBoolean();
  private boolean closed;
  private boolean pumping;

  PulledBody(HttpExchange exchange, Source source) {
    this.exchange = exchange;
    this.source = source;
  }

  /// Sends the head and begins. Closes the source at once when the client has gone.
  void start(int status, Headers head) {
    exchange.listen(this);
    if (!closed) {
      exchange.sendHead(status, head);
      pump();
    }
  }

  /// There is more. Any thread, any number of times.
  void wake() {
    if (woken.compareAndSet(false, true)) {
      exchange.execute(() -> {
        woken.set(false);
        pump();
      });
    }
  }

  boolean isClosed() {
    return closed;
  }

  @Override
  public void onWritable() {
    pump();
  }

  private void pump() {
    if (pumping) {
      return; // a write that empties the socket tells so in the middle of it
    }
    pumping = true;
    try {
      for (int pieces = 0; !closed && exchange.isWritable(); pieces++) {
        if (pieces == PIECES_PER_TURN) {
          wake();
          return;
        }
        if (!proceed()) {
          return;
        }
      }
    } finally {
      pumping = false;
    }
  }

  /// One piece. Whether to go on.
  private boolean proceed() {
    ByteBuf out = exchange.newBuffer(PIECE_BYTES);
    Next next;
    try {
      next = source.next(out);
    } catch (Throwable e) {
      out.release();
      throw e;
    }
    if (out.isReadable()) {
      exchange.write(out);
    } else {
      out.release();
    }
    if (next == Next.END && !closed) {
      close();
      exchange.end();
    } else if (next == Next.BREAK) {
      exchange.abort();
    }
    return next == Next.MORE;
  }

  private void close() {
    if (!closed) {
      closed = true;
      source.close();
    }
  }

  @Override
  public void onAborted() {
    close();
  }

  @Override
  public void onData(ByteBuf data) {}

  @Override
  public void onEnd(Headers trailers) {}
}
