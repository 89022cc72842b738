package dev.sandpiper.agent.http;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.FileRegion;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.util.concurrent.Future;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The sending side of an HTTP/1.x connection: what is written leaves at the end of the event loop's turn, or earlier
/// when much of it waits.
final class Http1Output {
  private static final Logger log = LoggerFactory.getLogger("http");

  /// The kernel should work while we make more.
  private static final int FLUSH_BYTES = 64 * 1024;

  private final ChannelHandlerContext ctx;
  private final Runnable abort;
  private int unflushed;
  private boolean flushScheduled;
  private boolean corked;

  /// @param abort ends the connection, with a reset, when a file cannot be sent
  Http1Output(ChannelHandlerContext ctx, Runnable abort) {
    this.ctx = ctx;
    this.abort = abort;
  }

  /// Takes the buffer over.
  void send(ByteBuf buffer) {
    int bytes = buffer.readableBytes();
    var _ = ctx.write(buffer, ctx.voidPromise());
    flushSoon(bytes);
  }

  /// A buffer and part of a file behind it. The buffer alone, or a head in front of it, would leave as a small segment of
  /// its own; corked, it leaves with the file's bytes.
  void send(ByteBuf head, FileRegion region) {
    int bytes = (int) Math.min(region.count(), Integer.MAX_VALUE / 2);
    boolean something = head.isReadable() || unflushed > 0;
    if (something && !corked && ctx.channel() instanceof EpollSocketChannel socket) {
      corked = socket.config().setOption(EpollChannelOption.TCP_CORK, true);
    }
    if (head.isReadable()) {
      var _ = ctx.write(head, ctx.voidPromise());
    } else {
      head.release();
    }
    ctx.write(region).addListener(this::fileSent);
    flushSoon(bytes);
  }

  private void fileSent(Future<? super Void> sent) {
    if (corked && ctx.channel() instanceof EpollSocketChannel socket && socket.isOpen()) {
      corked = false;
      socket.config().setOption(EpollChannelOption.TCP_CORK, false);
    }
    if (!sent.isSuccess() && ctx.channel().isActive()) {
      log.warn("a file could not be sent", sent.cause());
      abort.run();
    }
  }

  private void flushSoon(int bytes) {
    unflushed += bytes;
    if (unflushed >= FLUSH_BYTES) {
      flush();
    } else if (!flushScheduled) {
      flushScheduled = true;
      ctx.channel().eventLoop().execute(this::flushScheduled);
    }
  }

  private void flushScheduled() {
    flushScheduled = false;
    flush();
  }

  void flush() {
    if (unflushed > 0) {
      unflushed = 0;
      ctx.flush();
    }
  }
}
