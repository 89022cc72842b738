package dev.sandpiper.agent.rpc;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
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
import io.netty.handler.codec.http2.Http2GoAwayFrame;
import io.netty.handler.codec.http2.Http2HeadersFrame;
import io.netty.handler.codec.http2.Http2MultiplexHandler;
import io.netty.handler.codec.http2.Http2ResetFrame;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2StreamChannel;
import io.netty.handler.codec.http2.Http2StreamChannelBootstrap;
import io.netty.util.ReferenceCountUtil;
import java.io.ByteArrayOutputStream;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/// An HTTP/2 client with prior knowledge, one connection, that speaks in frames.
final class H2Client implements AutoCloseable {
  private final EventLoopGroup group =
      new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
  private final Channel channel;
  final CompletableFuture<Long> goAway = new CompletableFuture<>();

  H2Client(int port) throws Exception {
    channel =
        new Bootstrap()
            .group(group)
            .channel(NioSocketChannel.class)
            .handler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel ch) {
                    ch.pipeline()
                        .addLast(
                            Http2FrameCodecBuilder.forClient()
                                .initialSettings(
                                    Http2Settings.defaultSettings().maxConcurrentStreams(10_000))
                                .build(),
                            new Http2MultiplexHandler(new ChannelInboundHandlerAdapter()),
                            new ChannelInboundHandlerAdapter() {
                              @Override
                              public void channelRead(ChannelHandlerContext ctx, Object message) {
                                if (message instanceof Http2GoAwayFrame frame) {
                                  goAway.complete(frame.errorCode());
                                }
                                ReferenceCountUtil.release(message);
                              }
                            });
                  }
                })
            .connect(InetAddress.getLoopbackAddress(), port)
            .sync()
            .channel();
  }

  /// One call; its response is complete when `done` is.
  final class Call extends ChannelInboundHandlerAdapter {
    final Map<String, String> headers = new ConcurrentHashMap<>();
    final Map<String, String> trailers = new ConcurrentHashMap<>();
    final ByteArrayOutputStream body = new ByteArrayOutputStream();
    final CompletableFuture<Void> head = new CompletableFuture<>();
    final CompletableFuture<Void> done = new CompletableFuture<>();
    final CompletableFuture<Long> reset = new CompletableFuture<>();
    private final Http2StreamChannel stream;

    Call(String path, String type, boolean reads, String... more) throws Exception {
      stream = new Http2StreamChannelBootstrap(channel).handler(this).open().sync().getNow();
      stream.config().setAutoRead(reads);
      var request =
          new DefaultHttp2Headers().method("POST").scheme("http").path(path).authority("x");
      request.add("content-type", type).add("te", "trailers");
      for (int i = 0; i < more.length; i += 2) {
        request.add(more[i], more[i + 1]);
      }
      stream.writeAndFlush(new DefaultHttp2HeadersFrame(request)).sync();
    }

    void send(byte[] message, boolean end) throws Exception {
      ByteBuf body = Unpooled.buffer().writeByte(0).writeInt(message.length).writeBytes(message);
      stream.writeAndFlush(new DefaultHttp2DataFrame(body, end)).sync();
    }

    void end() throws Exception {
      stream.writeAndFlush(new DefaultHttp2DataFrame(true)).sync();
    }

    void cancel() throws Exception {
      stream.writeAndFlush(new DefaultHttp2ResetFrame(Http2Error.CANCEL)).sync();
    }

    void readAll() {
      stream.config().setAutoRead(true);
    }

    Call await() throws Exception {
      done.get(60, TimeUnit.SECONDS);
      return this;
    }

    /// The first message of the body.
    byte[] message() {
      ByteBuffer all = ByteBuffer.wrap(body.toByteArray());
      all.get();
      byte[] message = new byte[all.getInt()];
      all.get(message);
      return message;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object frame) {
      switch (frame) {
        case Http2HeadersFrame f -> {
          var target = head.isDone() ? trailers : headers;
          f.headers().forEach(e -> target.put(e.getKey().toString(), e.getValue().toString()));
          head.complete(null);
          end(f.isEndStream());
        }
        case Http2DataFrame f -> {
          body.writeBytes(ByteBufUtil.getBytes(f.content()));
          end(f.isEndStream());
        }
        default -> {}
      }
      ReferenceCountUtil.release(frame);
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
      if (event instanceof Http2ResetFrame f) {
        reset.complete(f.errorCode());
      }
    }

    private void end(boolean last) {
      if (last) {
        done.complete(null);
      }
    }
  }

  @Override
  public void close() {
    channel.close().syncUninterruptibly();
    var _ = group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }
}
