package dev.sandpiper.agent.http;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Ends connections that nobody uses: those without a request for the idle timeout, and those whose peer has taken no
/// byte for as long although some wait for it. A connection that is closing waits only [#CLOSING_LIMIT] for its peer.
///
/// One timer per connection, which looks again later, instead of one per request. That the peer takes nothing is what
/// the kernel says (the time since it last sent data), so it is known with epoll only.
final class IdleWatch {
  private static final Logger log = LoggerFactory.getLogger("http");
  private static final Duration CLOSING_LIMIT = Duration.ofSeconds(30);

  private final ChannelHandlerContext ctx;
  private final Duration idleTimeout;
  private final BooleanSupplier busy;
  private final Runnable look;
  private final Runnable close;
  private long idleSince = System.nanoTime();
  private boolean closing;
  private @Nullable Future<?> timer;

  /// @param busy whether a request is running
  /// @param look called about once an idle timeout, for a closer look at what runs
  /// @param close closes the connection in good order; called once at most
  IdleWatch(
      ChannelHandlerContext ctx,
      Duration idleTimeout,
      BooleanSupplier busy,
      Runnable look,
      Runnable close) {
    this.ctx = ctx;
    this.idleTimeout = idleTimeout;
    this.busy = busy;
    this.look = look;
    this.close = close;
  }

  void start() {
    schedule(idleTimeout.toNanos());
  }

  void stop() {
    if (timer != null) {
      timer.cancel(false);
    }
  }

  /// The last request has just ended.
  void idleFromNow() {
    idleSince = System.nanoTime();
  }

  /// The connection closes as soon as everything is sent.
  void closing() {
    closing = true;
    stop();
    schedule(CLOSING_LIMIT.toNanos());
  }

  private void schedule(long nanos) {
    timer = ctx.executor().schedule(this::check, nanos, TimeUnit.NANOSECONDS);
  }

  private void check() {
    if (!ctx.channel().isOpen()) {
      return;
    }
    long limit = (closing ? CLOSING_LIMIT : idleTimeout).toNanos();
    long idle = busy.getAsBoolean() ? 0 : System.nanoTime() - idleSince;
    if (isStalled(ctx.channel(), limit)) {
      log.info(
          "{} takes nothing any more: its connection is closed", ctx.channel().remoteAddress());
      ctx.channel().config().setOption(ChannelOption.SO_LINGER, 0);
      var _ = ctx.close();
    } else if (!closing && idle >= limit) {
      close.run();
    } else {
      look.run();
      schedule(limit - (closing ? 0 : idle));
    }
  }

  private static boolean isStalled(Channel channel, long limitNanos) {
    ChannelOutboundBuffer waiting = channel.unsafe().outboundBuffer();
    return waiting != null
        && waiting.totalPendingWriteBytes() > 0
        && channel instanceof EpollSocketChannel socket
        && socket.tcpInfo().lastDataSent() >= TimeUnit.NANOSECONDS.toMillis(limitNanos);
  }
}
