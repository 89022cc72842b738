package dev.sandpiper.agent.http;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2FrameAdapter;
import io.netty.handler.codec.http2.Http2Headers;
import org.jspecify.annotations.Nullable;

/// The frames that a client sends, as they concern requests.
final class Http2Frames extends Http2FrameAdapter {
  @Nullable Http2Connection connection;

  private Http2Connection connection() {
    Http2Connection mine = connection;
    if (mine == null) {
      throw new IllegalStateException("a frame before the connection was built");
    }
    return mine;
  }

  /// From here on Netty would enforce the limit of streams, and take a stream that it refuses for one that never was: a
  /// client that has sent its body along would lose the connection for it. So `begin` refuses, also before that.
  @Override
  public void onSettingsAckRead(ChannelHandlerContext ctx) {
    connection().connection().remote().maxActiveStreams(Integer.MAX_VALUE);
  }

  @Override
  public void onHeadersRead(
      ChannelHandlerContext ctx,
      int streamId,
      Http2Headers headers,
      int padding,
      boolean endOfStream)
      throws Http2Exception {
    connection().begin(streamId, headers, endOfStream);
  }

  @Override
  public void onHeadersRead(
      ChannelHandlerContext ctx,
      int streamId,
      Http2Headers headers,
      int streamDependency,
      short weight,
      boolean exclusive,
      int padding,
      boolean endOfStream)
      throws Http2Exception {
    connection().begin(streamId, headers, endOfStream);
  }

  @Override
  public int onDataRead(
      ChannelHandlerContext ctx, int streamId, ByteBuf data, int padding, boolean endOfStream) {
    Http2Exchange exchange = connection().exchange(streamId);
    int bytes = data.readableBytes();
    if (exchange == null) {
      return bytes + padding;
    }
    exchange.offer(data.retain());
    if (endOfStream) {
      exchange.offerEnd(new Headers());
    }
    return padding; // the data itself is given back to the window when it is taken
  }

  @Override
  public void onRstStreamRead(ChannelHandlerContext ctx, int streamId, long errorCode) {
    Http2Exchange exchange = connection().exchange(streamId);
    if (exchange != null) {
      exchange.peerGone();
    }
  }
}
