package dev.sandpiper.agent.http;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.util.concurrent.Future;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/// Tells HTTP/2 by prior knowledge from HTTP/1.x by the first bytes, then makes room for whichever it is.
///
/// The preface begins with `PRI `, which no method of HTTP/1.x does. A client that sends nothing is closed after the
/// idle timeout.
final class ProtocolSniffer extends ByteToMessageDecoder {
  private static final byte[] PREFACE = {'P', 'R', 'I', ' '};

  private final HttpSettings settings;
  private final BiConsumer<ChannelPipeline, Boolean> install;
  private @Nullable Future<?> timeout;

  /// @param install adds the handlers, for HTTP/2 if the second argument is true
  ProtocolSniffer(HttpSettings settings, BiConsumer<ChannelPipeline, Boolean> install) {
    this.settings = settings;
    this.install = install;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    timeout =
        ctx.executor()
            .schedule(
                () -> closeQuietly(ctx), settings.idleTimeout().toNanos(), TimeUnit.NANOSECONDS);
  }

  @Override
  protected void handlerRemoved0(ChannelHandlerContext ctx) {
    if (timeout != null) {
      timeout.cancel(false);
    }
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) throws Exception {
    super.userEventTriggered(ctx, event);
    if (event instanceof ChannelInputShutdownEvent && ctx.pipeline().context(this) != null) {
      var _ = ctx.close();
    }
  }

  @Override
  protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) {
    int seen = Math.min(in.readableBytes(), PREFACE.length);
    boolean http2 = true;
    for (int i = 0; i < seen; i++) {
      http2 &= in.getByte(in.readerIndex() + i) == PREFACE[i];
    }
    if (!http2 || seen == PREFACE.length) {
      install.accept(ctx.pipeline(), http2);
      ctx.pipeline().remove(this);
    }
  }

  private static void closeQuietly(ChannelHandlerContext ctx) {
    var _ = ctx.close();
  }
}
