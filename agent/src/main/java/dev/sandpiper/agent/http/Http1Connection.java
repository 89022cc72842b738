package dev.sandpiper.agent.http;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.DecoderResult;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One HTTP/1.x connection: hands out one exchange after the other, in the order in which the requests came.
///
/// Reading goes on while a response streams, so that a client that has gone is noticed at once. It stops only while
/// body or pipelined requests that nobody has asked for are above [#READ_AHEAD_BYTES].
final class Http1Connection extends ChannelInboundHandlerAdapter implements ServerConnection {
  private static final Logger log = LoggerFactory.getLogger("http");
  private static final int READ_AHEAD_BYTES = 64 * 1024;
  private static final int WAITING_MAX = 1024; // decoded parts of pipelined requests

  /// A body that nobody wants is read to its end, to keep the connection, if it is not longer than this. Where the client
  /// has said that it is longer, the response says `Connection: close`; a chunked one can only be cut off, and a client
  /// that has read its response may have begun another request by then: hence not too small.
  static final int DISCARD_BYTES = 4 * 1024 * 1024;

  private static final int LINGER_MILLIS =
      1000; // for the client to read an answer to a body that we do not read

  private final HttpSettings settings;
  private final HttpHandler handler;
  private final boolean secure;
  private @Nullable ChannelHandlerContext context;
  private @Nullable Http1Output output;
  private @Nullable IdleWatch idle;
  private @Nullable Http1Exchange current;

  /// Requests behind the current one. Bound: see READ_AHEAD_BYTES and WAITING_MAX; when full, reading stops.
  private final ArrayDeque<HttpObject> waiting = new ArrayDeque<>(2);

  private int waitingBytes;
  private boolean draining;
  private boolean closing;
  private boolean closed;
  private boolean inputShutdown;
  private int discarded;

  Http1Connection(HttpSettings settings, HttpHandler handler, boolean secure) {
    this.settings = settings;
    this.handler = handler;
    this.secure = secure;
  }

  ChannelHandlerContext context() {
    ChannelHandlerContext ctx = context;
    if (ctx == null) {
      throw new IllegalStateException("not in a pipeline");
    }
    return ctx;
  }

  Http1Output output() {
    Http1Output made = output;
    if (made == null) {
      throw new IllegalStateException("not in a pipeline");
    }
    return made;
  }

  private IdleWatch idle() {
    IdleWatch made = idle;
    if (made == null) {
      throw new IllegalStateException("not in a pipeline");
    }
    return made;
  }

  boolean isSecure() {
    return secure;
  }

  boolean isClosing() {
    return closing;
  }

  boolean isInputShutdown() {
    return inputShutdown;
  }

  boolean hasSendfile() {
    return !secure;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    context = ctx;
    output = new Http1Output(ctx, () -> abort(true));
    idle =
        new IdleWatch(
            ctx, settings.idleTimeout(), () -> current != null, () -> {}, this::closeAfterFlush);
    idle.start();
  }

  // Requests.

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) {
    HttpObject part = (HttpObject) message;
    if (closed) {
      ReferenceCountUtil.release(part);
    } else if (waiting.isEmpty() && (current == null || !current.inputEnded())) {
      accept(part);
    } else {
      waiting.add(part);
      waitingBytes += part instanceof HttpContent content ? content.content().readableBytes() : 512;
    }
    updateReading();
  }

  private void accept(HttpObject part) {
    if (part instanceof HttpRequest request) {
      begin(request);
    }
    if (part instanceof HttpContent content) {
      Http1Exchange exchange = current;
      if (exchange == null) {
        content.release();
      } else if (content.decoderResult().isFailure()) {
        content.release();
        exchange.peerGone();
        abort(false);
      } else {
        int bytes = content.content().readableBytes();
        if (exchange.isFinished()) {
          discarded += bytes;
        }
        exchange.offer(content.content());
        if (content instanceof LastHttpContent last) {
          exchange.offerEnd(neutral(last.trailingHeaders()));
        }
        afterPart(exchange);
      }
    }
  }

  /// A body that is still coming in after its response has ended is skipped, up to a limit.
  private void afterPart(Http1Exchange exchange) {
    if (current == exchange && exchange.isFinished() && !closed) {
      if (exchange.inputEnded()) {
        next();
      } else if (discarded > DISCARD_BYTES) {
        closeAfterFlush();
      }
    }
  }

  private void begin(HttpRequest request) {
    discarded = 0;
    DecoderResult result = request.decoderResult();
    Headers headers = neutral(request.headers());
    HttpVersion version = request.protocolVersion();
    HttpProtocol protocol =
        version.majorVersion() == 1 && version.minorVersion() == 0
            ? HttpProtocol.HTTP_1_0
            : HttpProtocol.HTTP_1_1;
    String target = result.isFailure() ? "/" : originForm(request.uri());
    Http1Exchange exchange =
        new Http1Exchange(
            this,
            context().channel(),
            protocol,
            request.method().name(),
            target,
            headers,
            !result.isFailure() && HttpUtil.isKeepAlive(request));
    current = exchange;
    if (result.isFailure()) {
      refuse(exchange, result.cause());
    } else if (version.majorVersion() != 1 || version.minorVersion() > 1) {
      Responses.text(exchange, 505, "HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here");
    } else if (protocol == HttpProtocol.HTTP_1_1 && headers.all("host").size() != 1) {
      Responses.text(exchange, 400, "exactly one Host header is required");
    } else {
      String authority = authorityOf(request.uri());
      if (authority != null) {
        headers.set("host", authority); // RFC 9112, 3.2.2: the target counts, not the header
      }
      try {
        handler.handle(exchange);
      } catch (Throwable e) {
        exchange.fail(e);
      }
    }
  }

  private void refuse(Http1Exchange exchange, Throwable cause) {
    closing = true;
    if (cause instanceof TooLongHttpLineException) {
      Responses.text(
          exchange, 414, "the request line is longer than " + settings.maxUriBytes() + " bytes");
    } else if (cause instanceof TooLongHttpHeaderException) {
      Responses.text(
          exchange,
          431,
          "the headers are longer than "
              + settings.maxHeaderBytes()
              + " bytes, or more than "
              + HeaderLimit.MAX_HEADERS);
    } else {
      Responses.text(exchange, 400, "not a valid HTTP request");
    }
  }

  /// `GET http://host/path` means `/path`.
  private static String originForm(String target) {
    if (target.startsWith("/")) {
      return target;
    }
    int scheme = target.indexOf("://");
    if (scheme < 0) {
      return target;
    }
    int slash = target.indexOf('/', scheme + 3);
    return slash < 0 ? "/" : target.substring(slash);
  }

  /// Of `http://host/path`, `host`; null for a target without one.
  private static @Nullable String authorityOf(String target) {
    int scheme = target.startsWith("/") ? -1 : target.indexOf("://");
    if (scheme < 0) {
      return null;
    }
    int end = scheme + 3;
    while (end < target.length() && "/?#".indexOf(target.charAt(end)) < 0) {
      end++;
    }
    return target.substring(scheme + 3, end);
  }

  private static Headers neutral(HttpHeaders from) {
    Headers headers = new Headers();
    var entries = from.iteratorAsString();
    while (entries.hasNext()) {
      Map.Entry<String, String> entry = entries.next();
      headers.add(entry.getKey(), entry.getValue());
    }
    return headers;
  }

  // The end of an exchange.

  void exchangeEnded(Http1Exchange exchange) {
    if (current != exchange || closed) {
      return;
    }
    if (!exchange.keepsAlive() || closing || (inputShutdown && waiting.isEmpty())) {
      closeAfterFlush();
    } else if (exchange.inputEnded()) {
      next();
    } else {
      updateReading();
    }
  }

  private void next() {
    current = null;
    idle().idleFromNow();
    if (draining) {
      return; // a handler that answers at once ends its exchange inside the loop below
    }
    draining = true;
    try {
      while (!waiting.isEmpty() && !closed && (current == null || !current.inputEnded())) {
        HttpObject part = waiting.remove();
        waitingBytes -=
            part instanceof HttpContent content ? content.content().readableBytes() : 512;
        accept(part);
      }
    } finally {
      draining = false;
    }
    if (current == null && inputShutdown) {
      closeAfterFlush();
    }
    updateReading();
  }

  void updateReading() {
    if (closed) {
      return;
    }
    boolean read =
        (current == null || current.inboundBytes() < READ_AHEAD_BYTES)
            && waitingBytes < READ_AHEAD_BYTES
            && waiting.size() < WAITING_MAX;
    var config = context().channel().config();
    if (config.isAutoRead() != read) {
      config.setAutoRead(read);
    }
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext ctx) {
    if (ctx.channel().isWritable() && current != null) {
      current.writableAgain();
    }
  }

  // Ends of the connection.

  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
    if (event instanceof ChannelInputShutdownEvent) {
      inputShutdown = true;
      Http1Exchange exchange = current;
      if (exchange == null) {
        closeAfterFlush();
      } else if (!exchange.isFinished() && (!exchange.inputEnded() || exchange.isStreamed())) {
        exchange.peerGone();
        abort(false);
      } else if (exchange.isFinished()) {
        closeAfterFlush();
      }
    } else {
      ctx.fireUserEventTriggered(event);
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    release();
    ctx.fireChannelInactive();
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext ctx) {
    idle().stop();
  }

  private void release() {
    closed = true;
    if (current != null) {
      current.peerGone();
    }
    waiting.forEach(ReferenceCountUtil::release);
    waiting.clear();
    idle().stop();
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
    if (!(cause instanceof IOException)) {
      log.warn("a connection failed: {}", ctx.channel().remoteAddress(), cause);
    }
    var _ = ctx.close();
  }

  /// Closes the socket, with a reset where a mere end would look like a complete response.
  void abort(boolean reset) {
    closed = true;
    if (reset) {
      context().channel().config().setOption(ChannelOption.SO_LINGER, 0);
    }
    var _ = context().close();
  }

  /// Closes once everything is sent. If the client still sends, a plain close would reset the connection and could
  /// destroy the answer on its way: then only our side is closed, and the rest is read and dropped for a moment.
  private void closeAfterFlush() {
    if (closed) {
      return;
    }
    closed = true;
    idle().closing();
    ChannelHandlerContext ctx = context();
    boolean clean = inputShutdown || current == null || current.inputEnded();
    ChannelFuture flushed = ctx.writeAndFlush(ctx.alloc().buffer(0));
    if (clean || !(ctx.channel() instanceof DuplexChannel duplex) || secure) {
      flushed.addListener(ChannelFutureListener.CLOSE);
    } else {
      ctx.channel().config().setAutoRead(true);
      flushed.addListener(_ -> {
        var _ = duplex.shutdownOutput();
        var _ =
            ctx.executor().schedule(() -> closeQuietly(ctx), LINGER_MILLIS, TimeUnit.MILLISECONDS);
      });
    }
  }

  /// Between requests: closes now. With one running: closes after it.
  @Override
  public void shutdown() {
    closing = true;
    if (current == null) {
      closeAfterFlush();
    }
  }

  void upgrade(Consumer<Channel> handover) {
    output().flush();
    closed = true;
    ChannelHandlerContext ctx = context();
    ChannelPipeline pipeline = ctx.pipeline();
    // The decoder gives up what it has read beyond the request when it is removed, to whoever
    // stands behind it then.
    pipeline.remove(this);
    handover.accept(ctx.channel());
    pipeline.remove(HttpRequestDecoder.class);
  }

  private static void closeQuietly(ChannelHandlerContext ctx) {
    var _ = ctx.close();
  }
}
