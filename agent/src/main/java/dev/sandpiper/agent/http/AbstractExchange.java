package dev.sandpiper.agent.http;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
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
  private static final int FILE_STEP_BYTES = 64 * 1024;

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

  /// Body that came and was not asked for yet. Bounded by what the connection reads ahead; see `consumed`.
  private final ArrayDeque<ByteBuf> inbound = new ArrayDeque<>(2);

  private int inboundBytes;
  private int demand;
  private boolean delivering;
  private boolean inputEnded;
  private boolean endDelivered;
  private Headers trailers = new Headers();

  /// Files that are read step by step, and what was written behind them. Null when nothing waits.
  private @Nullable ArrayDeque<Runnable> behindFile;

  private @Nullable FileStep fileStep;
  private volatile boolean filePending;
  private boolean failing;
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
      deliver();
    }
  }

  @Override
  public final void request() {
    if (!inputEnded && inbound.isEmpty()) {
      bodyWanted();
    }
    demand++;
    deliver();
  }

  /// A piece of body came. Takes the buffer over.
  final void offer(ByteBuf data) {
    int bytes = data.readableBytes();
    if (bytes == 0 || isFinished()) {
      data.release();
      consumed(bytes);
      return;
    }
    inbound.add(data);
    inboundBytes += bytes;
    deliver();
  }

  final void offerEnd(Headers requestTrailers) {
    inputEnded = true;
    trailers = requestTrailers;
    deliver();
  }

  final boolean inputEnded() {
    return inputEnded;
  }

  final int inboundBytes() {
    return inboundBytes;
  }

  private void deliver() {
    Listener receiver = listener;
    if (delivering || receiver == null) {
      return;
    }
    delivering = true;
    try {
      while (demand > 0 && !inbound.isEmpty() && !isFinished()) {
        demand--;
        ByteBuf data = inbound.remove();
        int bytes = data.readableBytes();
        inboundBytes -= bytes;
        try {
          receiver.onData(data);
        } finally {
          data.release();
          consumed(bytes);
        }
      }
      if (inputEnded && inbound.isEmpty() && !endDelivered && !isFinished()) {
        endDelivered = true;
        receiver.onEnd(trailers);
      }
    } catch (Throwable e) {
      fail(e);
    } finally {
      delivering = false;
    }
  }

  /// The connection or stream is gone.
  final void peerGone() {
    if (isFinished()) {
      return;
    }
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
    if (extraHeaders.size() > 0) {
      headers.addAll(extraHeaders);
    }
    doHead(status, headers);
  }

  @Override
  public final void write(ByteBuf body) {
    if (state != State.STREAMING) {
      body.release();
      if (state != State.ABORTED) {
        throw new IllegalStateException("body in state " + state);
      }
    } else if (behindFile != null) {
      behindFile.add(
          new Runnable() {
            @Override
            public void run() {
              write(body);
            }

            @Override
            public String toString() {
              return "write";
            }
          });
    } else if (!body.isReadable()) {
      body.release();
    } else {
      doWrite(body);
    }
  }

  @Override
  public final void writeFile(
      @Nullable ByteBuf prefix, FileChannel file, long position, long count, Runnable release) {
    if (state != State.STREAMING) {
      if (prefix != null) {
        prefix.release();
      }
      release.run();
      if (state != State.ABORTED) {
        throw new IllegalStateException("body in state " + state);
      }
    } else if (behindFile != null) {
      behindFile.add(() -> writeFile(prefix, file, position, count, release));
    } else if (hasSendfile()) {
      doSendfile(prefix, file, position, count, release);
    } else {
      if (prefix != null) {
        write(prefix);
      }
      behindFile = new ArrayDeque<>();
      filePending = true;
      fileStep = new FileStep(file, position, position + count, release);
      pumpFile();
    }
  }

  /// Reads the current file while the peer takes it, then runs what was written behind it.
  private void pumpFile() {
    try {
      while (fileStep != null && isStreaming() && channelWritable()) {
        FileStep step = fileStep;
        int wanted = (int) Math.min(FILE_STEP_BYTES, step.end - step.position);
        if (wanted > 0) {
          ByteBuf buffer = newBuffer(wanted);
          int read;
          try {
            read = buffer.writeBytes(step.file, step.position, wanted);
          } catch (Throwable e) {
            buffer.release();
            throw e;
          }
          if (read <= 0) {
            buffer.release();
            throw new java.io.EOFException(
                "the file ended at "
                    + step.position
                    + ", "
                    + (step.end - step.position)
                    + " bytes early");
          }
          step.position += read;
          doWrite(buffer);
        }
        if (step.position >= step.end) {
          ArrayDeque<Runnable> behind = behindFile;
          fileStep = null;
          behindFile = null;
          filePending = false;
          step.release.run();
          while (behind != null && !behind.isEmpty()) {
            behind.remove().run();
            if (behindFile != null) { // another file: the rest waits behind that one
              behindFile.addAll(behind);
              behind = null;
            }
          }
        }
      }
    } catch (Throwable e) {
      fail(e);
    }
  }

  private boolean isStreaming() {
    return state == State.STREAMING;
  }

  @Override
  public final void end(Headers responseTrailers) {
    if (behindFile != null && state == State.STREAMING) {
      behindFile.add(() -> end(responseTrailers));
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
    clear();
    doEnd(responseTrailers);
  }

  @Override
  public final void respond(int status, Headers headers, byte[] body) {
    if (status != 204 && status != 304) {
      headers.set("content-length", Integer.toString(body.length));
    }
    sendHead(status, headers);
    if (body.length > 0) {
      write(newBuffer(body.length).writeBytes(body));
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
    int bytes = inboundBytes;
    inbound.forEach(ByteBuf::release);
    inbound.clear();
    inboundBytes = 0;
    FileStep step = fileStep;
    fileStep = null;
    filePending = false;
    if (step != null) {
      step.release.run();
    }
    ArrayDeque<Runnable> behind = behindFile;
    behindFile = null;
    if (behind != null) {
      behind.forEach(AbstractExchange::dropQuietly);
    }
    if (bytes > 0) {
      consumed(bytes);
    }
  }

  /// In state ABORTED a queued write only releases what it holds.
  private static void dropQuietly(Runnable queued) {
    try {
      queued.run();
    } catch (IllegalStateException e) {
      log.debug("dropped what was written behind a file", e);
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

  private static final class FileStep {
    final FileChannel file;
    final long end;
    final Runnable release;
    long position;

    FileStep(FileChannel file, long position, long end, Runnable release) {
      this.file = file;
      this.position = position;
      this.end = end;
      this.release = release;
    }
  }
}
