package dev.sandpiper.agent.http;

import dev.sandpiper.agent.telemetry.MetricSource;
import dev.sandpiper.agent.telemetry.MetricsText;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.DefaultMessageSizeEstimator;
import io.netty.channel.FileRegion;
import io.netty.channel.MessageSizeEstimator;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.handler.ssl.ApplicationProtocolNames;
import io.netty.handler.ssl.ApplicationProtocolNegotiationHandler;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The front door: listens, and hands every request to one handler (a [Router]).
///
/// `bind` once, `close` once or more. Closing stops listening, sends GOAWAY on HTTP/2 connections, closes idle ones,
/// lets running requests go on for the grace, then breaks off what is left.
public final class HttpServer implements AutoCloseable, MetricSource {
  private static final Logger log = LoggerFactory.getLogger("http");

  /// Connections that nobody has accepted yet. While an agent is replaced nobody accepts any, and one too many would have to
  /// knock again after a second. The kernel takes no more than its `somaxconn`, 4,096 as a rule.
  private static final int BACKLOG = 4096;

  private static final int MAX_PIECE_BYTES = 64 * 1024;

  private final HttpSettings settings;
  private final HttpHandler handler;
  private final List<Channel> listeners = new ArrayList<>();
  private final ChannelGroup connections =
      new DefaultChannelGroup(GlobalEventExecutor.INSTANCE, true);
  private final LongAdder accepted = new LongAdder();
  private @Nullable Transport transport;

  public HttpServer(HttpSettings settings, HttpHandler handler) {
    this.settings = settings;
    this.handler = handler;
  }

  /// The same as {@link #bind(List)} with nothing handed down.
  public void bind() throws IOException {
    bind(List.of());
  }

  /// Listens at every address, or throws and then listens at none: a `BindException` naming the address that failed, or
  /// another exception naming the file of TLS that cannot be used and its setting.
  ///
  /// @param handedDown sockets that listen already, one for each address in order, or fewer; they are this server's from now
  ///     on
  public synchronized void bind(List<Integer> handedDown) throws IOException {
    if (transport != null) {
      throw new IllegalStateException("bound already");
    }
    TlsSettings secured = settings.tls();
    TlsContext tls = secured == null ? null : new TlsContext(secured, System::nanoTime);
    Transport made = Transport.create(settings.ioThreads());
    transport = made;
    ServerBootstrap bootstrap =
        made.boundsWhatIsSent(new ServerBootstrap(), settings.idleTimeout())
            .group(made.loops())
            .option(ChannelOption.SO_BACKLOG, BACKLOG)
            .option(ChannelOption.SO_REUSEADDR, true)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childOption(ChannelOption.ALLOCATOR, allocator())
            // The end of the client's sending side is an event, not the end of what we still have
            // to send.
            .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
            .childOption(ChannelOption.MESSAGE_SIZE_ESTIMATOR, COUNTS_FILES)
            .childOption(
                ChannelOption.WRITE_BUFFER_WATER_MARK,
                new WriteBufferWaterMark(settings.lowWaterBytes(), settings.highWaterBytes()))
            .childHandler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    connections.add(channel);
                    accepted.increment();
                    if (tls == null) {
                      channel
                          .pipeline()
                          .addLast(new ProtocolSniffer(settings, HttpServer.this::install));
                    } else {
                      channel
                          .pipeline()
                          .addLast(
                              new TlsOnly(),
                              tls.current().newHandler(channel.alloc()),
                              new Negotiated(HttpServer.this::install));
                    }
                  }
                });
    Deque<Integer> listening = new ArrayDeque<>(made.takesDescriptors() ? handedDown : List.of());
    for (InetSocketAddress address : settings.addresses()) {
      Integer fd = listening.poll();
      if (fd != null) {
        listeners.add(listen(bootstrap, fd));
        continue;
      }
      InetSocketAddress resolved =
          address.isUnresolved()
              ? new InetSocketAddress(address.getHostString(), address.getPort())
              : address;
      ChannelFuture bound =
          bootstrap.clone().channel(made.serverChannel()).bind(resolved).awaitUninterruptibly();
      if (!bound.isSuccess()) {
        Throwable cause = bound.cause();
        close();
        String what = resolved.isUnresolved() ? "no such host" : cause.getMessage();
        IOException failure =
            new BindException(
                "cannot listen at %s:%d: %s"
                    .formatted(address.getHostString(), address.getPort(), what));
        failure.initCause(cause);
        throw failure;
      }
      listeners.add(bound.channel());
    }
  }

  private static Channel listen(ServerBootstrap bootstrap, int fd) throws IOException {
    ChannelFuture registered =
        bootstrap
            .clone()
            .channelFactory(() -> new EpollServerSocketChannel(fd))
            .register()
            .awaitUninterruptibly();
    if (!registered.isSuccess()) {
      throw new IOException(
          "descriptor " + fd + ", which was handed down, is no socket that listens",
          registered.cause());
    }
    return registered.channel();
  }

  /// The sockets that listen, one for each address in order: this server's own. Connections that nobody has accepted wait in
  /// duplicates of them, also after {@link #close}. Empty where this server's transport has none to give.
  public synchronized List<Integer> descriptors() {
    List<Integer> descriptors = new ArrayList<>();
    for (Channel listener : listeners) {
      if (listener instanceof EpollServerSocketChannel channel) {
        descriptors.add(channel.fd().intValue());
      }
    }
    return descriptors.size() < listeners.size() ? List.of() : descriptors;
  }

  /// Where it listens, ports filled in.
  public synchronized List<InetSocketAddress> addresses() {
    return listeners.stream().map(l -> (InetSocketAddress) l.localAddress()).toList();
  }

  /// The port of the first address.
  public int port() {
    return addresses().getFirst().getPort();
  }

  private void install(ChannelPipeline pipeline, boolean http2) {
    boolean secure = settings.tls() != null;
    if (http2) {
      pipeline.addLast(Http2Connection.create(settings, handler, secure));
    } else {
      pipeline.addLast(
          new HttpRequestDecoder(
              HeaderLimit.on(
                  new HttpDecoderConfig()
                      .setMaxInitialLineLength(settings.maxUriBytes())
                      .setMaxHeaderSize(settings.maxHeaderBytes())
                      .setMaxChunkSize(MAX_PIECE_BYTES))),
          new Http1Connection(settings, handler, secure));
    }
  }

  /// Over TLS, ALPN says which protocol it is; a client that says nothing gets HTTP/1.1.
  private static final class Negotiated extends ApplicationProtocolNegotiationHandler {
    private final BiConsumer<ChannelPipeline, Boolean> install;

    Negotiated(BiConsumer<ChannelPipeline, Boolean> install) {
      super(ApplicationProtocolNames.HTTP_1_1);
      this.install = install;
    }

    @Override
    protected void configurePipeline(ChannelHandlerContext ctx, String protocol) {
      install.accept(ctx.pipeline(), protocol.equals(ApplicationProtocolNames.HTTP_2));
    }

    /// A client that does not trust us, or that we do not trust, is its own affair.
    @Override
    protected void handshakeFailure(ChannelHandlerContext ctx, Throwable cause) {
      log.debug("a TLS handshake with {} failed", ctx.channel().remoteAddress(), cause);
      var _ = ctx.close();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
      log.debug("a TLS connection with {} failed", ctx.channel().remoteAddress(), cause);
      var _ = ctx.close();
    }
  }

  /// One arena of direct memory for each event loop, and no caches for the threads of services: they only pass by.
  private PooledByteBufAllocator allocator() {
    return new PooledByteBufAllocator(
        true,
        0,
        settings.ioThreads(),
        PooledByteBufAllocator.defaultPageSize(),
        PooledByteBufAllocator.defaultMaxOrder(),
        PooledByteBufAllocator.defaultSmallCacheSize(),
        PooledByteBufAllocator.defaultNormalCacheSize(),
        false);
  }

  @Override
  public void write(MetricsText text) {
    text.counter("sandpiper_http_connections_total", "Connections that were accepted.")
        .sample(accepted.sum());
    text.gauge("sandpiper_http_connections", "Connections that are open.")
        .sample(connections.size());
  }

  /// Waits for the grace at most. Any thread but an event loop.
  @Override
  public void close() {
    close(settings.shutdownGrace());
  }

  /// The same with another grace.
  public synchronized void close(Duration grace) {
    Transport made = transport;
    if (made == null || made.loops().isShuttingDown()) {
      return;
    }
    listeners.forEach(listener -> listener.close().awaitUninterruptibly());
    for (Channel channel : connections) {
      channel.eventLoop().execute(() -> shutdown(channel));
    }
    if (!connections.newCloseFuture().awaitUninterruptibly(grace.toNanos(), TimeUnit.NANOSECONDS)) {
      for (Channel channel : connections) {
        channel.eventLoop().execute(() -> channel.unsafe().closeForcibly());
      }
    }
    made.loops().shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
  }

  private static void shutdown(Channel channel) {
    ServerConnection connection = channel.pipeline().get(Http1Connection.class);
    if (connection == null) {
      connection = channel.pipeline().get(Http2Connection.class);
    }
    if (connection == null) {
      var _ = channel.close(); // nothing was sent on it yet
    } else {
      connection.shutdown();
    }
  }

  /// Netty's own estimate of a file region is 0, so a reader that does not read would be sent files without end.
  private static final MessageSizeEstimator COUNTS_FILES =
      () -> {
        MessageSizeEstimator.Handle other = DefaultMessageSizeEstimator.DEFAULT.newHandle();
        return message ->
            message instanceof FileRegion region
                ? (int) Math.min(region.count(), Integer.MAX_VALUE / 2)
                : other.size(message);
      };
}
