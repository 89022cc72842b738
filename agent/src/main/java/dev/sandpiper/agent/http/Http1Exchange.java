package dev.sandpiper.agent.http;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.DefaultFileRegion;
import java.nio.channels.FileChannel;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A request on an HTTP/1.x connection. Writes its own framing, past Netty's encoder, so that a piece of body with its
/// chunk size is one buffer and one write.
final class Http1Exchange extends AbstractExchange {
  private enum Framing {
    NONE,
    LENGTH,
    CHUNKED,
    UNTIL_CLOSE
  }

  private static final Logger log = LoggerFactory.getLogger("http");

  /// How much of a file one `sendfile` may move. The kernel holds back what it was told more will follow, so a longer one
  /// leaves in bursts that have fallen out of the processor's caches when the peer takes them: to a client on the same
  /// machine 4 MiB at once cost 0.30 CPU seconds for each GiB, 256 KiB 0.19, 320 to 768 KiB 0.14.
  private static final long SENDFILE_BYTES = 512 * 1024;

  private final Http1Connection connection;
  private final boolean wantsContinue;
  private boolean continueSent;
  private boolean keepAlive;
  private Framing framing = Framing.NONE;

  /// With `content-length`, what of it was not written yet.
  private long promised;

  /// The CRLF that ends a chunk sent from a file leaves with whatever is sent next.
  private boolean owesCrlf;

  Http1Exchange(
      Http1Connection connection,
      Channel channel,
      HttpProtocol protocol,
      String method,
      String target,
      Headers headers,
      boolean keepAlive) {
    super(channel, protocol, method, target, headers);
    this.connection = connection;
    this.keepAlive = keepAlive;
    this.wantsContinue =
        protocol == HttpProtocol.HTTP_1_1 && headers.hasToken("expect", "100-continue");
  }

  @Override
  void consumed(int bytes) {
    connection.updateReading();
  }

  @Override
  void bodyWanted() {
    if (wantsContinue && !continueSent && !isHeadSent()) {
      continueSent = true;
      var _ =
          context()
              .writeAndFlush(Unpooled.wrappedBuffer(Http1Head.CONTINUE), context().voidPromise());
    }
  }

  /// Whether its body streams, so that the end of the client's sending side means that the client has gone.
  boolean isStreamed() {
    return framing == Framing.CHUNKED || framing == Framing.UNTIL_CLOSE;
  }

  boolean keepsAlive() {
    return keepAlive;
  }

  @Override
  void doHead(int status, Headers headers) {
    boolean noBody = status == 204 || status == 304 || status < 200;
    if (noBody) {
      headers.remove("content-length");
      framing = Framing.NONE;
    } else if (headers.contains("content-length")) {
      framing = Framing.LENGTH;
      promised = Long.parseLong(headers.get("content-length", "0"));
    } else if (protocol() == HttpProtocol.HTTP_1_1) {
      framing = Framing.CHUNKED;
      headers.add("transfer-encoding", "chunked");
    } else {
      framing = Framing.UNTIL_CLOSE;
      keepAlive = false;
    }
    if (headers.hasToken("connection", "close") || connection.isClosing()) {
      keepAlive = false;
    }
    if (wantsContinue && !continueSent && !inputEnded()) {
      keepAlive =
          false; // the client may or may not send its body now: only the end of the connection is
      // clear
    }
    if (!inputEnded() && declaredLength() > Http1Connection.DISCARD_BYTES) {
      keepAlive = false;
    }
    if (!keepAlive) {
      headers.set("connection", "close");
    } else if (protocol() == HttpProtocol.HTTP_1_0) {
      headers.set("connection", "keep-alive");
    }
    if (method().equals("HEAD")) {
      framing = Framing.NONE;
    }
    ByteBuf head = context().alloc().directBuffer(256);
    Http1Head.write(head, status, headers);
    send(head);
    if (isStreamed() && connection.isInputShutdown()) {
      eventLoop().execute(this::abort);
    }
  }

  private long declaredLength() {
    String length = requestHeaders().get("content-length");
    return length == null ? 0 : Long.parseLong(length); // the decoder has checked it
  }

  @Override
  public ByteBuf newBuffer(int capacity) {
    int room = Http1Head.CHUNK_ROOM + Http1Head.CRLF.length;
    ByteBuf buffer = channel.alloc().directBuffer(room + capacity + Http1Head.CRLF.length);
    return buffer.setIndex(room, room);
  }

  @Override
  void doWrite(ByteBuf body) {
    switch (framing) {
      case NONE -> body.release();
      case LENGTH -> {
        promised -= body.readableBytes();
        send(body);
      }
      case UNTIL_CLOSE -> send(body);
      case CHUNKED -> {
        body.writeBytes(Http1Head.CRLF);
        Http1Head.prependChunkSize(body, body.readableBytes() - Http1Head.CRLF.length);
        send(withOwedCrlf(body));
      }
    }
  }

  private ByteBuf withOwedCrlf(ByteBuf buffer) {
    if (owesCrlf) {
      owesCrlf = false;
      int at = buffer.readerIndex() - 2;
      buffer.setByte(at, '\r').setByte(at + 1, '\n').readerIndex(at);
    }
    return buffer;
  }

  @Override
  public boolean hasSendfile() {
    return connection.hasSendfile();
  }

  @Override
  void doSendfile(
      @Nullable ByteBuf prefix, FileChannel file, long position, long count, Runnable release) {
    ByteBuf head = prefix == null ? newBuffer(0) : prefix;
    if (framing == Framing.NONE) {
      head.release();
      release.run();
      return;
    }
    promised -= head.readableBytes() + count;
    if (framing == Framing.CHUNKED) {
      Http1Head.prependChunkSize(head, head.readableBytes() + count);
      withOwedCrlf(head);
      owesCrlf = true;
    }
    ByteBuf before = head;
    long at = position;
    for (long end = position + count; end - at > SENDFILE_BYTES; at += SENDFILE_BYTES) {
      connection.output().send(before, new ReleasingRegion(file, at, SENDFILE_BYTES, () -> {}));
      before = Unpooled.EMPTY_BUFFER;
    }
    connection.output().send(before, new ReleasingRegion(file, at, position + count - at, release));
  }

  @Override
  void doEnd(Headers trailers) {
    if (framing == Framing.CHUNKED) {
      ByteBuf last = channel.alloc().directBuffer(trailers.size() == 0 ? 8 : 256);
      if (owesCrlf) {
        last.writeBytes(Http1Head.CRLF);
      }
      last.writeByte('0').writeBytes(Http1Head.CRLF);
      Http1Head.fields(last, trailers);
      last.writeBytes(Http1Head.CRLF);
      send(last);
    }
    if (framing == Framing.LENGTH && promised != 0) {
      // The client would take the next response's head for body, or wait for what does not come.
      log.error("{} {}: content-length is off by {} bytes", method(), path(), promised);
      connection.abort(true);
      return;
    }
    connection.exchangeEnded(this);
  }

  @Override
  void doAbort() {
    connection.abort(framing == Framing.UNTIL_CLOSE);
  }

  @Override
  boolean channelWritable() {
    return channel.isWritable();
  }

  @Override
  public boolean isSecure() {
    return connection.isSecure();
  }

  @Override
  public boolean upgrade(Headers headers, Consumer<Channel> handover) {
    if (!inputEnded() || protocol() != HttpProtocol.HTTP_1_1 || isHeadSent()) {
      return false;
    }
    ByteBuf head = context().alloc().directBuffer(256);
    Http1Head.write(head, 101, headers);
    send(head);
    upgraded(101);
    connection.upgrade(handover);
    return true;
  }

  private void send(ByteBuf buffer) {
    connection.output().send(buffer);
  }

  private ChannelHandlerContext context() {
    return connection.context();
  }

  /// Tells its owner when the socket needs the file no longer; the channel stays open, which Netty would close.
  private static final class ReleasingRegion extends DefaultFileRegion {
    private final Runnable release;

    ReleasingRegion(FileChannel file, long position, long count, Runnable release) {
      super(file, position, count);
      this.release = release;
    }

    @Override
    protected void deallocate() {
      release.run();
    }
  }
}
