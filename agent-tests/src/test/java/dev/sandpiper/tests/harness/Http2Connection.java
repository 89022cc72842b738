package dev.sandpiper.tests.harness;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http2.DefaultHttp2DataFrame;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.DefaultHttp2HeadersFrame;
import io.netty.handler.codec.http2.DefaultHttp2ResetFrame;
import io.netty.handler.codec.http2.Http2DataFrame;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2FrameCodecBuilder;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2HeadersFrame;
import io.netty.handler.codec.http2.Http2MultiplexHandler;
import io.netty.handler.codec.http2.Http2ResetFrame;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2StreamChannel;
import io.netty.handler.codec.http2.Http2StreamChannelBootstrap;
import io.netty.util.ReferenceCountUtil;
import java.net.InetAddress;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// One cleartext HTTP/2 connection with prior knowledge, a stream for each exchange. What a test does not read is not
/// given back to the window of its stream, so that the peer feels it; all streams share the connection's window.
final class Http2Connection implements Exchange.Transport {
  private static final int STREAM_WINDOW = 256 * 1024;

  private final EventLoopGroup group =
      new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
  private final Channel channel;

  Http2Connection(int port) {
    ChannelInitializer<Channel> initializer =
        new ChannelInitializer<>() {
          @Override
          protected void initChannel(Channel ch) {
            ch.pipeline()
                .addLast(
                    Http2FrameCodecBuilder.forClient()
                        .initialSettings(
                            Http2Settings.defaultSettings().initialWindowSize(STREAM_WINDOW))
                        .build(),
                    new Http2MultiplexHandler(new ChannelInboundHandlerAdapter()));
          }
        };
    ChannelFuture connected =
        new Bootstrap()
            .group(group)
            .channel(NioSocketChannel.class)
            .handler(initializer)
            .connect(InetAddress.getLoopbackAddress(), port);
    channel = connected.syncUninterruptibly().channel();
  }

  @Override
  public Exchange post(String path, Map<String, String> headers, byte @Nullable [] whole) {
    Stream stream = new Stream();
    Http2Headers head =
        new DefaultHttp2Headers().method("POST").scheme("http").path(path).authority("localhost");
    headers.forEach((name, value) -> head.add(name.toLowerCase(Locale.ROOT), value));
    stream.write(new DefaultHttp2HeadersFrame(head));
    if (whole != null) {
      stream.write(new DefaultHttp2DataFrame(Unpooled.wrappedBuffer(whole), true));
    }
    return stream;
  }

  @Override
  public void close() {
    channel.close().syncUninterruptibly();
    var _ = group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }

  private final class Stream extends ChannelInboundHandlerAdapter implements Exchange {
    /// Frames that were asked for; Netty hands over a few at a time.
    private final BlockingQueue<Object> frames = new LinkedBlockingQueue<>();

    private final Http2StreamChannel stream;
    private final Map<String, String> trailers = new TreeMap<>();
    private ByteBuf data = Unpooled.EMPTY_BUFFER;
    private boolean ended;

    Stream() {
      stream =
          new Http2StreamChannelBootstrap(channel)
              .handler(this)
              .open()
              .syncUninterruptibly()
              .getNow();
    }

    /// Without it the first frames would be read before anybody asks.
    @Override
    public void handlerAdded(ChannelHandlerContext context) {
      context.channel().config().setAutoRead(false);
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object frame) {
      frames.add(frame);
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      // NO_ERROR only says that the rest of the request is not wanted; the response is in order
      // (RFC
      // 9113, section 8.1).
      if (event instanceof Http2ResetFrame frame
          && frame.errorCode() != Http2Error.NO_ERROR.code()) {
        frames.add(new HttpConnection.Cut("stream reset with error " + frame.errorCode()));
      }
      ReferenceCountUtil.release(event);
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      frames.add(new HttpConnection.Cut("the stream was closed"));
    }

    private void write(Object frame) {
      ChannelFuture written = stream.writeAndFlush(frame);
      if (!written.awaitUninterruptibly(Deadline.PATIENCE.toMillis())) {
        throw new AssertionError("the peer took nothing in " + Deadline.PATIENCE);
      }
      if (!written.isSuccess()) {
        throw new HttpConnection.Cut("the peer takes no more", written.cause());
      }
    }

    @Override
    public void send(byte[] part) {
      write(new DefaultHttp2DataFrame(Unpooled.wrappedBuffer(part)));
    }

    @Override
    public void halfClose() {
      write(new DefaultHttp2DataFrame(true));
    }

    private Object frame(Deadline deadline) throws TimeoutException {
      try {
        if (frames.isEmpty()) {
          stream.read();
        }
        Object frame = frames.poll(deadline.millisLeft(), TimeUnit.MILLISECONDS);
        if (frame == null) {
          throw new TimeoutException("nothing on the stream");
        }
        if (frame instanceof HttpConnection.Cut cut) {
          throw cut;
        }
        return frame;
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }

    private static void add(Http2Headers from, Map<String, String> to) {
      from.forEach(
          it -> to.merge(it.getKey().toString(), it.getValue().toString(), (a, b) -> a + ", " + b));
    }

    @Override
    public HttpConnection.Head head(Deadline deadline) throws TimeoutException {
      if (!(frame(deadline) instanceof Http2HeadersFrame head)) {
        throw new AssertionError("a response that does not begin with headers");
      }
      ended = head.isEndStream();
      Map<String, String> headers = new TreeMap<>();
      add(head.headers(), headers);
      return new HttpConnection.Head(
          Integer.parseInt(headers.getOrDefault(":status", "0")), headers);
    }

    @Override
    public int body(byte[] into, int offset, int length, Deadline deadline)
        throws TimeoutException {
      while (!data.isReadable()) {
        if (ended) {
          return -1;
        }
        switch (frame(deadline)) {
          case Http2DataFrame frame -> {
            data.release();
            data = frame.content();
            ended = frame.isEndStream();
          }
          case Http2HeadersFrame frame -> {
            add(frame.headers(), trailers);
            ended = frame.isEndStream();
          }
          case Object frame -> throw new AssertionError("unexpected " + frame);
        }
      }
      int n = Math.min(length, data.readableBytes());
      data.readBytes(into, offset, n);
      return n;
    }

    @Override
    public void close() {
      if (stream.isActive()) {
        stream.writeAndFlush(new DefaultHttp2ResetFrame(Http2Error.CANCEL)).awaitUninterruptibly();
      }
      data.release();
      data = Unpooled.EMPTY_BUFFER;
      frames.forEach(ReferenceCountUtil::release);
    }
  }
}
