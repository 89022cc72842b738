package dev.sandpiper.agent.http;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What HTTP/1.x and HTTP/2 exchanges have in common: the pulled body, the order of what is sent, and failures.
///
/// | from | event | to |
/// |---|---|---|
/// | OPEN | sendHead | STREAMING |
/// | STREAMING | end | ENDED |
/// | OPEN, STREAMING | peer gone, abort | ABORTED |
abstract class AbstractExchange implements HttpExchange {
  private static final Logger log = LoggerFactory.getLogger("http");
  private static final SocketAddress NOWHERE = InetSocketAddress.createUnresolved("unknown", 0);

  private enum State {
    OPEN,
    STREAMING,
    ENDED,
    ABORTED
  }

  final Channel channel;
  private final HttpProtocol protocol;
  private final String method;
  private final String path;
  private final @Nullable String query;
  private final Headers requestHeaders;
  private final Headers extraHeaders = new Headers();
  private @Nullable Map<Attribute<?>, Object> attributes;

  private @Nullable Listener listener;

  private final RequestBody body = new RequestBody(this);
  private @Nullable FileSteps file;
  private volatile boolean filePending; // that `file` is there, for any thread
  private boolean pumping;
  private boolean failing;
  private @Nullable RequestCounts counts;
  private volatile State state = State.OPEN;

  AbstractExchange(
      Channel channel, HttpProtocol protocol, String method, String target, Headers headers) {
    this.channel = channel;
    this.protocol = protocol;
    this.method = method;
    int mark = target.indexOf('?');
    this.path = mark < 0 ? target : target.substring(0, mark);
    this.query = mark < 0 ? null : target.substring(mark + 1);
    this.requestHeaders = headers;
  }

  // What the two versions do differently.

  /// `bytes` of body were taken: more may be read.
  abstract void consumed(int bytes);

  /// The body is wanted for the first time.
  abstract void bodyWanted();

  abstract void doHead(int status, Headers headers);

  abstract void doWrite(ByteBuf body);

  /// Only called when `hasSendfile`.
  abstract void doSendfile(
      @Nullable ByteBuf prefix, FileChannel file, long position, long count, Runnable release);

  abstract void doEnd(Headers trailers);

  abstract void doAbort();

  abstract boolean channelWritable();

  // Coming in.

  @Override
  public final void listen(Listener receiver) {
    if (listener != null) {
      throw new IllegalStateException("the exchange already has a listener");
    }
    listener = receiver;
    if (state == State.ABORTED) {
      receiver.onAborted();
    } else {
      body.deliver();
    }
  }

  final @Nullable Listener listener() {
    return listener;
  }

  @Override
  public final void request() {
    body.request();
  }

  /// A piece of body came. Takes the buffer over.
  final void offer(ByteBuf data) {
    body.offer(data);
  }

  final void offerEnd(Headers trailers) {
    body.end(trailers);
  }

  final boolean inputEnded() {
    return body.isEnded();
  }

  final int inboundBytes() {
    return body.bytes();
  }

  /// The connection or stream is gone.
  final void peerGone() {
    if (isFinished()) {
      return;
    }
    over(state != State.OPEN);
    state = State.ABORTED;
    clear();
    Listener receiver = listener;
    if (receiver != null) {
      try {
        receiver.onAborted();
      } catch (Throwable e) {
        log.error("a listener failed when its client had gone: {} {}", method, path, e);
      }
    }
  }

  final void writableAgain() {
    if (isFinished()) {
      return;
    }
    pumpFile();
    Listener receiver = listener;
    if (receiver != null && isWritable()) {
      try {
        receiver.onWritable();
      } catch (Throwable e) {
        fail(e);
      }
    }
  }

  // Going out.

  @Override
  public final void sendHead(int status, Headers headers) {
    if (state == State.ABORTED) {
      return;
    }
    if (state != State.OPEN) {
      throw new IllegalStateException("a head was sent already: " + state);
    }
    state = State.STREAMING;
    if (counts != null) {
      counts.answered(status);
    }
    if (extraHeaders.size() > 0) {
      headers.addAll(extraHeaders);
    }
    doHead(status, headers);
  }

  @Override
  public final void write(ByteBuf piece) {
    if (state != State.STREAMING) {
      piece.release();
      if (state != State.ABORTED) {
        throw new IllegalStateException("body in state " + state);
      }
    } else if (file != null) {
      file.addBehind(() -> write(piece));
    } else if (!piece.isReadable()) {
      piece.release();
    } else {
      doWrite(piece);
    }
  }

  @Override
  public final void writeFile(
      @Nullable ByteBuf prefix, FileChannel source, long position, long count, Runnable release) {
    if (state != State.STREAMING) {
      if (prefix != null) {
        prefix.release();
      }
      release.run();
      if (state != State.ABORTED) {
        throw new IllegalStateException("body in state " + state);
      }
    } else if (file != null) {
      file.addBehind(() -> writeFile(prefix, source, position, count, release));
    } else if (hasSendfile()) {
      doSendfile(prefix, source, position, count, release);
    } else {
      if (prefix != null) {
        write(prefix);
      }
      file = new FileSteps(source, position, count, release);
      filePending = true;
      pumpFile();
    }
  }

  /// Sends steps of the current file while the peer takes them, then what was written behind it. A file is let go of only
  /// when all that has found its place: whoever hears of it may write more, and that comes last.
  private void pumpFile() {
    if (pumping) {
      return; // the loop below goes on
    }
    pumping = true;
    try {
      FileSteps done = pumpOne();
      while (done != null) {
        done.release();
        done = pumpOne();
      }
    } catch (Throwable e) {
      fail(e);
    } finally {
      pumping = false;
    }
  }

  /// Gives the file if all of it was sent.
  private @Nullable FileSteps pumpOne() throws IOException {
    while (file != null && isStreaming() && channelWritable()) {
      FileSteps current = file;
      ByteBuf step = current.next(this);
      if (step != null) {
        doWrite(step);
      }
      if (current == file && current.isDone()) {
        file = null;
        filePending = false;
        try {
          runBehind(current);
        } catch (Throwable e) {
          current.release();
          throw e;
        }
        return current;
      }
    }
    return null;
  }

  private void runBehind(FileSteps done) {
    while (!done.behind().isEmpty()) {
      if (file != null) { // another file came up: the rest waits behind that one
        done.behind().forEach(file::addBehind);
        return;
      }
      done.behind().remove().run();
    }
  }

  private boolean isStreaming() {
    return state == State.STREAMING;
  }

  @Override
  public final void end(Headers responseTrailers) {
    if (file != null && state == State.STREAMING) {
      file.addBehind(() -> end(responseTrailers));
      return;
    }
    if (state == State.OPEN) {
      sendHead(200, Headers.of("content-length", "0"));
    }
    if (state == State.ABORTED) {
      return;
    }
    if (state == State.ENDED) {
      throw new IllegalStateException("the response has ended already");
    }
    state = State.ENDED;
    over(true);
    clear();
    doEnd(responseTrailers);
    BriefWait.requestAnswered();
  }

  @Override
  public final void respond(int status, Headers headers, byte[] whole) {
    if (status != 204 && status != 304) {
      headers.set("content-length", Integer.toString(whole.length));
    }
    sendHead(status, headers);
    if (whole.length > 0) {
      write(newBuffer(whole.length).writeBytes(whole));
    }
    end();
  }

  @Override
  public final void abort() {
    if (!isFinished()) {
      doAbort();
      peerGone();
    }
  }

  @Override
  public final void fail(Throwable cause) {
    if (failing) {
      abort();
      return;
    }
    failing = true;
    log.error("{} {} failed", method, path, cause);
    try {
      if (!isFinished() && listener != null) {
        listener.onFailure(cause);
      }
      if (state == State.OPEN) {
        respond(
            500,
            Headers.of("content-type", "text/plain; charset=utf-8"),
            "internal error\n".getBytes(StandardCharsets.US_ASCII));
      }
    } catch (Throwable e) {
      e.addSuppressed(cause);
      log.error("{} {}: the failure could not be answered", method, path, e);
    }
    abort();
  }

  /// Lets go of everything that is not on its way to the socket.
  private void clear() {
    FileSteps dropped = file;
    file = null;
    filePending = false;
    if (dropped != null) {
      dropped.release();
      dropped.behind().forEach(AbstractExchange::dropQuietly);
    }
    body.clear();
  }

  /// In state ABORTED a queued write only releases what it holds.
  private static void dropQuietly(Runnable queued) {
    try {
      queued.run();
    } catch (IllegalStateException e) {
      log.debug("dropped what was written behind a file", e);
    }
  }

  // Counting.

  /// Names where this request counts. Once, before anything is answered.
  final void countAs(RequestCounts route) {
    counts = route;
    route.began();
  }

  /// The request ends as such; the connection has become something else.
  final void upgraded(int status) {
    if (counts != null) {
      counts.answered(status);
    }
    over(true);
  }

  private void over(boolean answered) {
    RequestCounts open = counts;
    counts = null;
    if (open != null) {
      open.ended(answered);
    }
  }

  // Facts.

  @Override
  public final boolean isWritable() {
    return !filePending && channelWritable();
  }

  @Override
  public final boolean isFinished() {
    State now = state;
    return now == State.ENDED || now == State.ABORTED;
  }

  @Override
  public final boolean isHeadSent() {
    return state != State.OPEN;
  }

  @Override
  public final HttpProtocol protocol() {
    return protocol;
  }

  @Override
  public final String method() {
    return method;
  }

  @Override
  public final String path() {
    return path;
  }

  @Override
  public final @Nullable String query() {
    return query;
  }

  @Override
  public final Headers requestHeaders() {
    return requestHeaders;
  }

  @Override
  public final Headers extraHeaders() {
    return extraHeaders;
  }

  @Override
  public final SocketAddress remoteAddress() {
    SocketAddress address = channel.remoteAddress();
    return address == null ? NOWHERE : address;
  }

  @Override
  public final EventLoop eventLoop() {
    return channel.eventLoop();
  }

  @Override
  public final <T> @Nullable T get(Attribute<T> key) {
    Object value = attributes == null ? null : attributes.get(key);
    return value == null ? null : key.cast(value);
  }

  @Override
  public final <T> void put(Attribute<T> key, T value) {
    if (attributes == null) {
      attributes = new HashMap<>(4);
    }
    attributes.put(key, value);
  }
}
