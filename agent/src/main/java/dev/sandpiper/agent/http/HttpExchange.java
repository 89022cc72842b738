package dev.sandpiper.agent.http;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import java.net.SocketAddress;
import java.nio.channels.FileChannel;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// One request and its response, the same for HTTP/1.x and HTTP/2.
///
/// Request: the head is there from the start; the body is pulled. [#listen] names the receiver, each [#request] asks
/// for one more piece. What is not asked for stays in the socket, but for 64 KiB (HTTP/1.x) or one flow-control window
/// (HTTP/2).
///
/// Response: [#sendHead], then any number of [#write] and [#writeFile], then [#end]; or [#respond] for all at once.
/// Nothing limits how much may be written; a writer of much asks [#isWritable] first and goes on at
/// [Listener#onWritable]. Writes are flushed at the end of the event loop's turn.
///
/// Threads: everything here belongs to [#eventLoop], except the methods that say "any thread".
///
/// A client that closes only its sending side (HTTP/1.x) after a whole request: a response that is not streamed (sent
/// by [#respond], or of a known length) is still delivered. A streamed one is broken off as aborted, because the kernel
/// shows the same event for a client that has gone, and that must be noticed at once rather than at the next write.
public interface HttpExchange {

  /// A typed key for what filters find out about a request, such as the caller. Compared by identity.
  final class Attribute<T> {
    private final String name;
    private final Class<T> type;

    public Attribute(String name, Class<T> type) {
      this.name = name;
      this.type = type;
    }

    T cast(Object value) {
      return type.cast(value);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  /// Receives what happens to one exchange, on its event loop. What a method throws fails the exchange.
  interface Listener {
    /// One piece of the body, never empty. The buffer belongs to the caller: copy or `retain` what is to be kept.
    void onData(ByteBuf data);

    /// The request body is complete. Needs no [HttpExchange#request]; comes after the last piece.
    void onEnd(Headers trailers);

    /// `isWritable` was false and is true again.
    default void onWritable() {}

    /// The peer reset the stream or is gone, or [HttpExchange#abort] was called. Nothing comes after it, and what is
    /// written from now on is dropped. Does not come once the response has ended.
    void onAborted();

    /// This listener, or something it started, threw. Answer if nothing was sent yet; the exchange is aborted after it.
    default void onFailure(Throwable cause) {}
  }

  /// Any thread.
  HttpProtocol protocol();

  /// Any thread. As sent, for example `GET`.
  String method();

  /// Any thread. Without the query; percent-encoding as sent. Begins with `/`, or is `*`.
  String path();

  /// Any thread. What follows the `?`, as sent; null without a `?`.
  @Nullable String query();

  /// The request's headers. Not to be changed.
  Headers requestHeaders();

  /// Any thread. Whether the connection is TLS.
  boolean isSecure();

  /// Any thread.
  SocketAddress remoteAddress();

  /// Any thread.
  EventLoop eventLoop();

  /// Any thread. Runs a task on the event loop, later: for an answer that was made elsewhere. What it throws fails the
  /// exchange.
  default void execute(Runnable task) {
    eventLoop()
        .execute(() -> {
          try {
            task.run();
          } catch (Throwable e) {
            fail(e);
          }
        });
  }

  <T> @Nullable T get(Attribute<T> key);

  <T> void put(Attribute<T> key, T value);

  /// Names the receiver of the rest of this exchange. Once.
  void listen(Listener listener);

  /// Asks for one more piece of the body. Sends `100 Continue` if the client waits for it.
  void request();

  /// Headers that are added to whatever head is sent, also to error answers made elsewhere.
  Headers extraHeaders();

  boolean isHeadSent();

  /// Sends status and headers. Without `content-length` an HTTP/1.1 body is chunked and an HTTP/1.0 body ends with the
  /// connection. HEAD requests and 204 and 304 have no body; what is written for them is dropped.
  void sendHead(int status, Headers headers);

  /// A buffer for [#write] with room for `capacity` bytes (and more: it grows), with the framing's room around it. The
  /// caller fills it from `writerIndex` and either writes or releases it. Any thread.
  ByteBuf newBuffer(int capacity);

  /// Sends a piece of body. Takes over the buffer, which must come from [#newBuffer] of this exchange.
  void write(ByteBuf body);

  /// Sends part of a file, after an optional prefix (a buffer from [#newBuffer]) that belongs to the same piece. On plain
  /// HTTP/1.x the bytes go from the page cache to the socket (`sendfile`); elsewhere they are read, at most 64 KiB at a
  /// time as the client takes them. The channel must stay open until `release` is called, once, on the event loop.
  void writeFile(
      @Nullable ByteBuf prefix, FileChannel file, long position, long count, Runnable release);

  /// Whether `writeFile` uses `sendfile`. Any thread.
  boolean hasSendfile();

  /// Ends the response. Without [#sendHead] before it, an empty 200.
  default void end() {
    end(new Headers());
  }

  /// Ends the response with trailers (HTTP/2, and HTTP/1.1 when chunked; dropped elsewhere). An HTTP/2 response whose
  /// request is not complete is followed by `RST_STREAM(NO_ERROR)`.
  void end(Headers trailers);

  /// A whole response with `content-length`.
  void respond(int status, Headers headers, byte[] body);

  /// Whether the response has ended or was aborted. Any thread.
  boolean isFinished();

  /// Any thread. False while more than the high water mark waits to be sent.
  boolean isWritable();

  /// Breaks the exchange off: `RST_STREAM(CANCEL)`, or the end of the HTTP/1.x connection.
  void abort();

  /// Fails the exchange because of a defect: logged once; a 500 if nothing was sent yet, else aborted.
  void fail(Throwable cause);

  /// Answers `101 Switching Protocols` and hands the connection over as a raw byte stream, its pipeline empty but for
  /// TLS. False, and nothing sent, where there is no such thing (HTTP/2) or the request has a body.
  boolean upgrade(Headers headers, Consumer<Channel> handover);
}
