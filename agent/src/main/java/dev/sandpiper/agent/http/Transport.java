package dev.sandpiper.agent.http;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.DefaultSelectStrategyFactory;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SelectStrategy;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.util.IntSupplier;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.SingleThreadEventExecutor;
import io.netty.util.concurrent.ThreadAwareExecutor;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.slf4j.LoggerFactory;

/// Netty's epoll where its library loads, else Java's NIO, which is slower and says so.
record Transport(EventLoopGroup loops, Class<? extends ServerChannel> serverChannel) {
  /// Without it a socket takes megabytes at once and then nothing for as long as a slow peer needs for a third of them:
  /// no progress to be seen for longer than a stall limit, though the peer reads all the time.
  private static final long UNSENT_BYTES = 128 * 1024;

  static Transport create(int threads) {
    boolean epoll = Epoll.isAvailable();
    if (!epoll) {
      LoggerFactory.getLogger("http")
          .warn("epoll is not available; using NIO", Epoll.unavailabilityCause());
    }
    IoHandlerFactory io = epoll ? Transport::sleepsWell : NioIoHandler.newFactory();
    EventLoopGroup loops =
        new MultiThreadIoEventLoopGroup(threads, new DefaultThreadFactory("http", true), io);
    return new Transport(
        loops, epoll ? EpollServerSocketChannel.class : NioServerSocketChannel.class);
  }

  private static IoHandler sleepsWell(ThreadAwareExecutor loop) {
    return EpollIoHandler.newFactory(0, () -> strategy(loop)).newHandler(loop);
  }

  private static SelectStrategy strategy(ThreadAwareExecutor loop) {
    if (!(loop instanceof SingleThreadEventExecutor tasks)) {
      return DefaultSelectStrategyFactory.INSTANCE.newSelectStrategy();
    }
    SelectStrategy strategy =
        Runtime.getRuntime().availableProcessors() > 1
            ? new BriefWait(() -> tasks.pendingTasks() > 0)
            : DefaultSelectStrategyFactory.INSTANCE.newSelectStrategy();
    return new LongSleep(tasks, strategy);
  }

  /// A loop without a timer wakes once a second to find that it has none. So each gets one, when it first looks for work, that is
  /// due long after the machine is gone.
  private static final class LongSleep implements SelectStrategy {
    private final SingleThreadEventExecutor loop;
    private final SelectStrategy inner;
    private boolean hasTimer;

    LongSleep(SingleThreadEventExecutor loop, SelectStrategy inner) {
      this.loop = loop;
      this.inner = inner;
    }

    @Override
    public int calculateStrategy(IntSupplier ready, boolean mayNotWait) throws Exception {
      if (!hasTimer) {
        hasTimer = true;
        if (!loop.isShuttingDown()) {
          var _ = loop.schedule(() -> {}, 10_000, TimeUnit.DAYS);
        }
      }
      return inner.calculateStrategy(ready, mayNotWait);
    }
  }

  /// Whether a socket that listens already can be made one of this transport's.
  boolean takesDescriptors() {
    return serverChannel == EpollServerSocketChannel.class;
  }

  /// Bounds what waits in the kernel to be sent, where the transport can: what the peer has room for does not count. What the peer
  /// does not confirm for so long, as it has vanished without a word, ends the connection; the kernel's own patience is
  /// about 15 minutes, and {@link IdleWatch} sees only what has not reached the kernel.
  ServerBootstrap boundsWhatIsSent(ServerBootstrap bootstrap, Duration unconfirmed) {
    return serverChannel == EpollServerSocketChannel.class
        ? bootstrap
            .childOption(EpollChannelOption.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
            .childOption(
                EpollChannelOption.TCP_USER_TIMEOUT,
                (int) Math.min(unconfirmed.toMillis(), Integer.MAX_VALUE))
        : bootstrap;
  }
}
