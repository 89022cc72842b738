package dev.sandpiper.agent.http;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.handler.codec.http2.AbstractHttp2ConnectionHandlerBuilder;
import io.netty.handler.codec.http2.Http2Connection.PropertyKey;
import io.netty.handler.codec.http2.Http2ConnectionAdapter;
import io.netty.handler.codec.http2.Http2ConnectionDecoder;
import io.netty.handler.codec.http2.Http2ConnectionEncoder;
import io.netty.handler.codec.http2.Http2ConnectionHandler;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2Stream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One HTTP/2 connection: an exchange for each stream.
///
/// Netty keeps the protocol: HPACK, stream states, flow-control windows, and its limits on resets, empty frames and
/// queued control frames (attacks by cheap frames). What a handler has not asked for is not given back to the window,
/// so a stream holds at most one window in memory.
final class Http2Connection extends Http2ConnectionHandler implements ServerConnection {
  private static final Logger log = LoggerFactory.getLogger("http");
  private static final int STREAM_WINDOW_BYTES = 1024 * 1024;
  private static final int CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024;
  private static final int INITIAL_WINDOW_BYTES = 65_535; // RFC 9113, 6.9.2
  private static final int FRAME_BYTES = 64 * 1024;

  /// A client that cancels all its calls is no attack, nor is one whose requests are answered before they end; a rapid
  /// reset attack sends thousands a second. In each direction.
  private static final int MAX_RESETS = 2000;

  private static final int MAX_RESETS_SECONDS = 10;
  private static final int FLUSH_BYTES = 64 * 1024;

  private final HttpSettings settings;
  private final HttpHandler handler;
  private final boolean secure;
  private final PropertyKey exchangeKey;
  private @Nullable ChannelHandlerContext context;
  private int unflushed;
  private boolean flushScheduled;
  private boolean goingAway;
  private @Nullable IdleWatch idle;

  static Http2Connection create(HttpSettings settings, HttpHandler handler, boolean secure) {
    return new Builder(settings, handler, secure).build();
  }

  private Http2Connection(
      Http2ConnectionDecoder decoder,
      Http2ConnectionEncoder encoder,
      Http2Settings initial,
      Builder builder) {
    super(decoder, encoder, initial);
    this.settings = builder.settings;
    this.handler = builder.handler;
    this.secure = builder.secure;
    this.exchangeKey = connection().newKey();
    builder.frames.connection = this;
    connection()
        .addListener(
            new Http2ConnectionAdapter() {
              @Override
              public void onStreamClosed(Http2Stream stream) {
                Http2Exchange exchange = stream.getProperty(exchangeKey);
                if (exchange != null) {
                  exchange.peerGone();
                }
                if (connection().numActiveStreams() == 0 && idle != null) {
                  idle.idleFromNow();
                }
                closeIfDone();
              }
            });
  }

  HttpSettings settings() {
    return settings;
  }

  boolean isSecure() {
    return secure;
  }

  private ChannelHandlerContext context() {
    ChannelHandlerContext ctx = context;
    if (ctx == null) {
      throw new IllegalStateException("not in a pipeline");
    }
    return ctx;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) throws Exception {
    context = ctx;
    super.handlerAdded(ctx);
    decoder()
        .flowController()
        .incrementWindowSize(
            connection().connectionStream(), CONNECTION_WINDOW_BYTES - INITIAL_WINDOW_BYTES);
    flushSoon(1);
    idle =
        new IdleWatch(
            ctx,
            settings.idleTimeout(),
            () -> connection().numActiveStreams() > 0,
            this::endStalled,
            this::shutdown);
    idle.start();
  }

  /// What waits for the window of a stream waits here, not in the socket, and would do so as long as the connection
  /// lives: also when its response has long ended. So a stream whose client takes nothing for the idle timeout is ended,
  /// as a connection of HTTP/1.x is.
  private void endStalled() {
    List<Http2Stream> stalled = new ArrayList<>();
    try {
      connection()
          .forEachActiveStream(stream -> {
            Http2Exchange exchange = stream.getProperty(exchangeKey);
            if (exchange != null && exchange.isStalled()) {
              stalled.add(stream);
            }
            return true;
          });
    } catch (Http2Exception e) {
      onError(context(), true, e);
    }
    for (Http2Stream stream : stalled) {
      log.debug(
          "{}: the client of stream {} takes nothing any more: it is reset",
          context().channel().remoteAddress(),
          stream.id());
      reset(stream, Http2Error.ENHANCE_YOUR_CALM);
    }
  }

  /// A client that has closed its sending side cannot even acknowledge windows: it has gone.
  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) throws Exception {
    super.userEventTriggered(ctx, event);
    if (event instanceof ChannelInputShutdownEvent) {
      var _ = ctx.close(); // this handler's own `close` would wait for the running streams
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) throws Exception {
    if (idle != null) {
      idle.stop();
    }
    super.channelInactive(ctx);
  }

  @Override
  protected void onConnectionError(
      ChannelHandlerContext ctx,
      boolean outbound,
      Throwable cause,
      @Nullable Http2Exception http2) {
    if (http2 == null) {
      // An I/O error or a defect, not the peer's breach of the protocol: there is nothing to send.
      if (!(cause instanceof IOException)) {
        log.error("a connection failed: {}", ctx.channel().remoteAddress(), cause);
      }
      var _ = ctx.close();
      return;
    }
    super.onConnectionError(ctx, outbound, cause, http2);
  }

  // Requests.

  /// Headers came: a request, or the trailers of one.
  void begin(int streamId, Http2Headers from, boolean endOfStream) throws Http2Exception {
    Http2Stream stream = connection().stream(streamId);
    if (stream == null) {
      return;
    }
    boolean tooMany = from.size() > HeaderLimit.MAX_HEADERS;
    Http2Exchange known = stream.getProperty(exchangeKey);
    if (known != null) {
      if (tooMany) {
        throw Http2Exception.streamError(
            streamId, Http2Error.ENHANCE_YOUR_CALM, "too many trailers: " + from.size());
      }
      known.offerEnd(neutral(from));
      return;
    }
    if (connection().numActiveStreams() > settings.maxConcurrentStreams()) {
      throw Http2Exception.streamError(
          streamId,
          Http2Error.REFUSED_STREAM,
          "more than " + settings.maxConcurrentStreams() + " requests at a time");
    }
    CharSequence method = from.method();
    CharSequence path = from.path();
    if (method == null || path == null || path.length() == 0) {
      throw Http2Exception.streamError(
          streamId, Http2Error.PROTOCOL_ERROR, "a request needs :method and :path");
    }
    Headers headers = tooMany ? new Headers() : neutral(from);
    CharSequence authority = from.authority();
    if (authority != null) {
      headers.set("host", authority.toString()); // RFC 9113, 8.3.1: it counts, not the header
    }
    Http2Exchange exchange =
        new Http2Exchange(
            this, stream, context().channel(), method.toString(), path.toString(), headers);
    stream.setProperty(exchangeKey, exchange);
    if (tooMany) {
      Responses.text(exchange, 431, "more than " + HeaderLimit.MAX_HEADERS + " headers");
      return;
    }
    if (path.length() > settings.maxUriBytes()) {
      Responses.text(exchange, 414, "the path is longer than " + settings.maxUriBytes() + " bytes");
      return;
    }
    try {
      handler.handle(exchange);
    } catch (Throwable e) {
      exchange.fail(e);
    }
    if (endOfStream) {
      exchange.offerEnd(new Headers());
    }
  }

  private static Headers neutral(Http2Headers from) {
    Headers headers = new Headers();
    for (Map.Entry<CharSequence, CharSequence> entry : from) {
      CharSequence name = entry.getKey();
      if (name.length() > 0 && name.charAt(0) != ':') {
        headers.addLowerCase(name.toString(), entry.getValue().toString());
      }
    }
    return headers;
  }

  @Nullable Http2Exchange exchange(int streamId) {
    Http2Stream stream = connection().stream(streamId);
    return stream == null ? null : stream.getProperty(exchangeKey);
  }

  // Writing.

  void consume(Http2Stream stream, int bytes) {
    try {
      if (decoder().flowController().consumeBytes(stream, bytes)) {
        flushSoon(1);
      }
    } catch (Http2Exception e) {
      onError(context(), true, e);
    }
  }

  @CanIgnoreReturnValue
  ChannelFuture writeHeaders(Http2Stream stream, Http2Headers headers, boolean endOfStream) {
    ChannelFuture written =
        encoder()
            .writeHeaders(context(), stream.id(), headers, 0, endOfStream, context().newPromise());
    flushSoon(1);
    return written;
  }

  ChannelFuture writeData(Http2Stream stream, ByteBuf data, boolean endOfStream) {
    int bytes = data.readableBytes();
    ChannelFuture written =
        encoder().writeData(context(), stream.id(), data, 0, endOfStream, context().newPromise());
    flushSoon(bytes + 1);
    return written;
  }

  void cancel(Http2Stream stream) {
    reset(stream, Http2Error.CANCEL);
  }

  private void reset(Http2Stream stream, Http2Error error) {
    var _ = resetStream(context(), stream.id(), error.code(), context().newPromise());
    flushSoon(1);
  }

  /// RFC 9113, 8.1: the response is complete, the rest of the request is not wanted. Only once the response is on its
  /// way: a reset discards what still waits for its window.
  void resetAfter(ChannelFuture end, Http2Stream stream) {
    end.addListener(_ -> {
      if (stream.state() != Http2Stream.State.CLOSED) {
        reset(stream, Http2Error.NO_ERROR);
      }
    });
  }

  void flushSoon(int bytes) {
    unflushed += bytes;
    if (unflushed >= FLUSH_BYTES) {
      flushNow();
    } else if (!flushScheduled) {
      flushScheduled = true;
      context().channel().eventLoop().execute(this::flushScheduled);
    }
  }

  private void flushScheduled() {
    flushScheduled = false;
    flushNow();
  }

  private void flushNow() {
    if (unflushed > 0) {
      unflushed = 0;
      flush(context());
    }
  }

  // Ends of the connection.

  /// Sends GOAWAY; closes when the running streams have ended and are sent, at the latest after the grace.
  ///
  /// Not by Netty's own graceful shutdown, which takes a stream for sent when the first of the pieces that it has merged
  /// is: it closed the connection with the end of the last response still unflushed.
  @Override
  public void shutdown() {
    if (goingAway) {
      return;
    }
    goingAway = true;
    ChannelHandlerContext ctx = context();
    var _ =
        goAway(
            ctx,
            connection().remote().lastStreamCreated(),
            Http2Error.NO_ERROR.code(),
            Unpooled.EMPTY_BUFFER,
            ctx.newPromise());
    flush(ctx);
    var _ =
        ctx.executor()
            .schedule(
                () -> closeQuietly(ctx), settings.shutdownGrace().toNanos(), TimeUnit.NANOSECONDS);
    closeIfDone();
  }

  private void closeIfDone() {
    if (goingAway && connection().numActiveStreams() == 0) {
      ChannelHandlerContext ctx = context();
      ctx.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(_ -> closeQuietly(ctx));
    }
  }

  private static void closeQuietly(ChannelHandlerContext ctx) {
    var _ = ctx.close();
  }

  private static final class Builder
      extends AbstractHttp2ConnectionHandlerBuilder<Http2Connection, Builder> {
    final HttpSettings settings;
    final HttpHandler handler;
    final boolean secure;
    final Http2Frames frames = new Http2Frames();

    Builder(HttpSettings settings, HttpHandler handler, boolean secure) {
      this.settings = settings;
      this.handler = handler;
      this.secure = secure;
      server(true);
      frameListener(frames);
      initialSettings(
          Http2Settings.defaultSettings()
              .maxConcurrentStreams(settings.maxConcurrentStreams())
              .initialWindowSize(STREAM_WINDOW_BYTES)
              .maxFrameSize(FRAME_BYTES)
              .maxHeaderListSize(settings.maxHeaderBytes()));
      decoupleCloseAndGoAway(true); // see `shutdown`
      gracefulShutdownTimeoutMillis(settings.shutdownGrace().toMillis());
      decoderEnforceMaxRstFramesPerWindow(MAX_RESETS, MAX_RESETS_SECONDS);
      encoderEnforceMaxRstFramesPerWindow(MAX_RESETS, MAX_RESETS_SECONDS);
    }

    @Override
    public Http2Connection build() {
      return super.build();
    }

    @Override
    protected Http2Connection build(
        Http2ConnectionDecoder decoder, Http2ConnectionEncoder encoder, Http2Settings initial) {
      return new Http2Connection(decoder, encoder, initial, this);
    }
  }
}
