package dev.sandpiper.agent.http;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.ReferenceCountUtil;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/// Stands before TLS and looks at the first byte: a client that speaks plain text gets a plain answer that says so, in
/// place of a connection that ends without a word.
///
/// It serves nothing: where a certificate is configured, perhaps with an authority for clients, nobody gets around it.
final class TlsOnly extends ChannelInboundHandlerAdapter {
  /// RFC 8446, 5.1: a client's first record is a handshake.
  private static final byte HANDSHAKE = 22;

  /// For the client to read the answer while it may still send: a close at once could destroy it on its way.
  private static final int LINGER_MILLIS = 1000;

  private static final byte[] ANSWER = answer("this port speaks TLS: use https\n");

  private boolean answered;

  private static byte[] answer(String body) {
    return ("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: "
            + body.length()
            + "\r\n\r\n"
            + body)
        .getBytes(StandardCharsets.US_ASCII);
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) {
    if (answered) {
      ReferenceCountUtil.release(message);
    } else if (message instanceof ByteBuf bytes && bytes.isReadable() && plain(bytes)) {
      bytes.release();
      answered = true;
      ctx.writeAndFlush(Unpooled.wrappedBuffer(ANSWER))
          .addListener(_ -> {
            if (ctx.channel() instanceof DuplexChannel duplex) {
              var _ = duplex.shutdownOutput();
            }
            var _ =
                ctx.executor()
                    .schedule(() -> closeQuietly(ctx), LINGER_MILLIS, TimeUnit.MILLISECONDS);
          });
    } else {
      ctx.fireChannelRead(message);
      ctx.pipeline().remove(this);
    }
  }

  private static boolean plain(ByteBuf bytes) {
    return bytes.getByte(bytes.readerIndex()) != HANDSHAKE;
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
    if (event instanceof ChannelInputShutdownEvent) {
      closeQuietly(ctx);
    } else {
      ctx.fireUserEventTriggered(event);
    }
  }

  private static void closeQuietly(ChannelHandlerContext ctx) {
    var _ = ctx.close();
  }
}
