package dev.sandpiper.agent.cli;

import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/// One HTTP/1.1 connection to an agent: requests one after the other, each with its whole body, each answer streamed.
///
/// The body of an answer must be read to its end before the next request. Not thread-safe, except that `close` may be
/// called from any thread and makes a blocked read fail.
final class HttpConnection implements Closeable {
  private static final int BUFFER_BYTES = 64 * 1024; // two of the agent's data events
  private static final int MAX_HEAD_BYTES =
      64 * 1024; // far above what an agent sends; bounds a hostile answer
  private static final int CONTINUE = 100;
  private static final int FIRST_FINAL = 200;
  private static final int NO_CONTENT = 204;
  private static final int NOT_MODIFIED = 304;

  /// An answer. Header names are in lower case; a repeated header keeps its last value, which no header that is read
  /// here is.
  record Response(int status, Map<String, String> headers, InputStream body) {
    String header(String name) {
      return headers.getOrDefault(name, "");
    }
  }

  private final AgentUrl url;
  private final Socket socket;
  private final InputStream in;
  private boolean reusable = true;

  private HttpConnection(AgentUrl url, Socket socket) throws IOException {
    this.url = url;
    this.socket = socket;
    this.in = new BufferedInputStream(socket.getInputStream(), BUFFER_BYTES);
  }

  /// Throws `IOException` when nobody listens there or the connection is not made in time.
  static HttpConnection open(AgentUrl url, Duration timeout) throws IOException {
    var socket = new Socket();
    try {
      socket.setTcpNoDelay(true);
      socket.connect(
          new InetSocketAddress(url.host(), url.port()), Math.toIntExact(timeout.toMillis()));
      // The kernel may pick the very port that nobody listens on as ours, and connect the socket to
      // itself.
      if (socket.getLocalSocketAddress().equals(socket.getRemoteSocketAddress())) {
        throw new ConnectException("nobody listens at " + url);
      }
      return new HttpConnection(url, socket);
    } catch (IOException | RuntimeException e) {
      socket.close();
      throw e;
    }
  }

  /// Whether another request may follow on this connection.
  boolean reusable() {
    return reusable;
  }

  /// Sends one request and reads the head of its answer, waiting at most `silence` for each byte of it and of its body
  /// (zero: for ever).
  Response send(
      String method, String path, Map<String, String> headers, byte[] body, Duration silence)
      throws IOException {
    var head = new StringBuilder(256);
    head.append(method).append(' ').append(path).append(" HTTP/1.1\r\n");
    head.append("Host: ").append(url.authority()).append("\r\n");
    headers.forEach((name, value) -> head.append(name).append(": ").append(value).append("\r\n"));
    head.append("Content-Length: ").append(body.length).append("\r\n\r\n");
    var headBytes = head.toString().getBytes(StandardCharsets.ISO_8859_1);
    var request = new byte[headBytes.length + body.length];
    System.arraycopy(headBytes, 0, request, 0, headBytes.length);
    System.arraycopy(body, 0, request, headBytes.length, body.length);
    socket.setSoTimeout(Math.toIntExact(silence.toMillis()));
    reusable = false; // until the answer was read to its end
    socket.getOutputStream().write(request);
    return readResponse();
  }

  private Response readResponse() throws IOException {
    while (true) {
      var budget = new int[] {MAX_HEAD_BYTES};
      var status = status(line(budget));
      var headers = new HashMap<String, String>();
      for (var line = line(budget); !line.isEmpty(); line = line(budget)) {
        var colon = line.indexOf(':');
        if (colon <= 0) {
          throw new IOException("not a header: " + line);
        }
        headers.put(
            line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).strip());
      }
      if (status >= FIRST_FINAL) {
        return new Response(status, headers, body(status, headers));
      }
      if (status != CONTINUE && status < CONTINUE) {
        throw new IOException("not an HTTP status: " + status);
      }
    }
  }

  private static int status(String line) throws IOException {
    if (!line.startsWith("HTTP/1.") || line.length() < "HTTP/1.1 200".length()) {
      throw new IOException("not an HTTP/1.1 answer: " + line);
    }
    try {
      return Integer.parseInt(line.substring("HTTP/1.1 ".length(), "HTTP/1.1 200".length()));
    } catch (NumberFormatException e) {
      throw new IOException("not an HTTP/1.1 answer: " + line, e);
    }
  }

  private InputStream body(int status, Map<String, String> headers) throws IOException {
    var keepAlive = !"close".equalsIgnoreCase(headers.get("connection"));
    if (status == NO_CONTENT || status == NOT_MODIFIED) {
      reusable = keepAlive;
      return InputStream.nullInputStream();
    }
    if (headers
        .getOrDefault("transfer-encoding", "")
        .toLowerCase(Locale.ROOT)
        .endsWith("chunked")) {
      return new HttpBody.Chunked(this, keepAlive);
    }
    var length = headers.get("content-length");
    if (length == null) {
      return in; // until the agent closes the connection
    }
    try {
      return new HttpBody.Sized(this, keepAlive, Long.parseUnsignedLong(length));
    } catch (NumberFormatException e) {
      throw new IOException("not a Content-Length: " + length, e);
    }
  }

  /// For bodies: a line without its line end, counted against `budget`.
  String line(int[] budget) throws IOException {
    var line = new StringBuilder(64);
    while (true) {
      var next = in.read();
      if (next < 0) {
        throw new EOFException("the agent closed the connection");
      }
      if (--budget[0] < 0) {
        throw new IOException("the head of the answer is longer than " + MAX_HEAD_BYTES + " bytes");
      }
      if (next == '\n') {
        var end = line.length();
        if (end > 0 && line.charAt(end - 1) == '\r') {
          line.setLength(end - 1);
        }
        return line.toString();
      }
      line.append((char) next);
    }
  }

  /// For bodies: up to `length` raw bytes, at least one.
  int read(byte[] to, int offset, int length) throws IOException {
    var count = in.read(to, offset, length);
    if (count < 0) {
      throw new EOFException("the agent closed the connection in the middle of an answer");
    }
    return count;
  }

  /// For bodies: the answer was read to its end.
  void finished(boolean keepAlive) {
    reusable = keepAlive;
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
