package dev.sandpiper.agent.http;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Stream;
import java.nio.channels.FileChannel;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// A request on an HTTP/2 stream.
///
/// Counts itself what waits to be sent, for the flow control of the stream, that of the connection and the socket
/// alike: bytes count from `write` until the socket has taken them.
final class Http2Exchange extends AbstractExchange {
  private static final Set<String> CONNECTION_HEADERS =
      Set.of("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade");

  private final Http2Connection connection;
  private final Http2Stream stream;
  private boolean continued;
  private boolean unwritable;
  private volatile int pendingBytes; // written by the event loop only

  /// How many pieces the client has taken, and how many it had at the last look.
  private long taken;

  private long takenBefore = -1;

  Http2Exchange(
      Http2Connection connection,
      Http2Stream stream,
      Channel channel,
      String method,
      String target,
      Headers headers) {
    super(channel, HttpProtocol.HTTP_2, method, target, headers);
    this.connection = connection;
    this.stream = stream;
  }

  @Override
  void consumed(int bytes) {
    if (bytes > 0) {
      connection.consume(stream, bytes);
    }
  }

  @Override
  void bodyWanted() {
    if (!isHeadSent() && requestHeaders().hasToken("expect", "100-continue") && !continued) {
      continued = true;
      connection.writeHeaders(stream, new DefaultHttp2Headers(false).status("100"), false);
    }
  }

  @Override
  void doHead(int status, Headers headers) {
    Http2Headers out = new DefaultHttp2Headers(false, headers.size() + 2);
    out.status(HttpResponseStatus.valueOf(status).codeAsText());
    copy(headers, out);
    if (!headers.contains("date")) {
      out.add("date", Http1Head.now());
    }
    connection.writeHeaders(stream, out, false);
  }

  private static void copy(Headers from, Http2Headers to) {
    for (int i = 0; i < from.size(); i++) {
      String name = from.name(i);
      if (!CONNECTION_HEADERS.contains(name)) {
        String value = from.value(i);
        boolean harmful =
            value.indexOf('\r') >= 0 || value.indexOf('\n') >= 0 || value.indexOf(0) >= 0;
        to.add(name, harmful ? value.replaceAll("[\r\n\0]", " ") : value);
      }
    }
  }

  @Override
  public ByteBuf newBuffer(int capacity) {
    return channel.alloc().directBuffer(capacity);
  }

  @Override
  void doWrite(ByteBuf body) {
    if (method().equals("HEAD")) {
      body.release();
      return;
    }
    int bytes = body.readableBytes();
    addPending(bytes);
    connection.writeData(stream, body, false).addListener(_ -> sent(bytes));
  }

  @SuppressWarnings("NonAtomicVolatileUpdate") // the event loop is the only writer
  private void addPending(int bytes) {
    pendingBytes += bytes;
    unwritable |= pendingBytes > connection.settings().highWaterBytes();
  }

  /// Whether something waits to be sent and the client has taken nothing since this was asked before.
  boolean isStalled() {
    boolean stalled = pendingBytes > 0 && taken == takenBefore;
    takenBefore = pendingBytes > 0 ? taken : -1;
    return stalled;
  }

  private void sent(int bytes) {
    taken++;
    addPending(-bytes);
    if (unwritable && pendingBytes <= connection.settings().lowWaterBytes()) {
      unwritable = false;
      // Not from inside the flush that has just taken the bytes.
      eventLoop().execute(this::writableAgain);
    }
  }

  @Override
  public boolean hasSendfile() {
    return false;
  }

  @Override
  void doSendfile(
      @Nullable ByteBuf prefix, FileChannel file, long position, long count, Runnable release) {
    throw new UnsupportedOperationException("HTTP/2 has no sendfile");
  }

  @Override
  void doEnd(Headers trailers) {
    ChannelFuture written;
    if (trailers.size() > 0) {
      Http2Headers out = new DefaultHttp2Headers(false, trailers.size());
      copy(trailers, out);
      written = connection.writeHeaders(stream, out, true);
    } else {
      written = connection.writeData(stream, channel.alloc().buffer(0), true);
    }
    if (!inputEnded()) {
      connection.resetAfter(written, stream);
    }
  }

  @Override
  void doAbort() {
    connection.cancel(stream);
  }

  @Override
  boolean channelWritable() {
    return pendingBytes <= connection.settings().highWaterBytes();
  }

  @Override
  public boolean isSecure() {
    return connection.isSecure();
  }

  @Override
  public boolean upgrade(Headers headers, Consumer<Channel> handover) {
    return false;
  }
}
