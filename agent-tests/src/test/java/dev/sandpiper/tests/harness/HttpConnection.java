package dev.sandpiper.tests.harness;

import com.google.protobuf.ByteString;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;

/// One HTTP/1.1 connection with nothing between the test and the bytes: what is not asked for stays in the socket.
///
/// Reads may time out anywhere and go on later. One thread at a time.
public final class HttpConnection implements AutoCloseable {
  private final Socket socket;
  private byte[] buffer = new byte[64 * 1024];
  private int from;
  private int to;

  // Of the body that is being read: bytes left in it or in its current chunk, -1 for "until the
  // connection closes".
  private long left;
  private boolean chunked;
  private boolean bodyEnded;
  private boolean betweenChunks;

  private HttpConnection(Socket socket) {
    this.socket = socket;
  }

  public static HttpConnection to(int port) {
    return to(port, 0);
  }

  /// Connects with a receive buffer of a given size.
  ///
  /// @param receiveBytes small for a client that is meant to fall behind; 0 for the default
  public static HttpConnection to(int port, int receiveBytes) {
    Socket socket = new Socket();
    try {
      if (receiveBytes > 0) {
        socket.setReceiveBufferSize(receiveBytes);
      }
      socket.setTcpNoDelay(true);
      socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 10_000);
      return new HttpConnection(socket);
    } catch (IOException e) {
      throw new UncheckedIOException("connecting to port " + port, e);
    }
  }

  /// Connects over TLS, as a client of HTTP/1.1, and returns after the handshake.
  public static HttpConnection to(int port, SSLContext tls) {
    HttpConnection plain = to(port);
    try {
      plain.socket.setSoTimeout((int) Deadline.PATIENCE.toMillis());
      SSLSocket secure =
          (SSLSocket) tls.getSocketFactory().createSocket(plain.socket, "localhost", port, true);
      SSLParameters parameters = secure.getSSLParameters();
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      parameters.setApplicationProtocols(new String[] {"http/1.1"});
      secure.setSSLParameters(parameters);
      secure.startHandshake();
      return new HttpConnection(secure);
    } catch (IOException e) {
      plain.close();
      throw new UncheckedIOException("TLS with port " + port, e);
    }
  }

  /// The certificate that the agent has shown on a connection over TLS.
  public X509Certificate peer() {
    try {
      return (X509Certificate) ((SSLSocket) socket).getSession().getPeerCertificates()[0];
    } catch (SSLPeerUnverifiedException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Sends a whole request; the body's length goes with it.
  public HttpConnection send(String method, String path, Map<String, String> headers, byte[] body) {
    ByteArrayOutputStream request = new ByteArrayOutputStream();
    request.writeBytes(head(method, path, headers, "Content-Length: " + body.length));
    request.writeBytes(body);
    return write(request.toByteArray());
  }

  /// Sends a request without a body and without a length.
  public HttpConnection send(String method, String path, Map<String, String> headers) {
    return write(head(method, path, headers, ""));
  }

  /// Begins a request whose body follows with [#chunk] and [#lastChunk].
  public HttpConnection sendChunked(String method, String path, Map<String, String> headers) {
    return write(head(method, path, headers, "Transfer-Encoding: chunked"));
  }

  public HttpConnection chunk(byte[] bytes) {
    write((Integer.toHexString(bytes.length) + "\r\n").getBytes(StandardCharsets.US_ASCII));
    write(bytes);
    return write("\r\n".getBytes(StandardCharsets.US_ASCII));
  }

  public HttpConnection lastChunk() {
    return write("0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
  }

  public HttpConnection write(byte[] bytes) {
    try {
      socket.getOutputStream().write(bytes);
      socket.getOutputStream().flush();
      return this;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] head(
      String method, String path, Map<String, String> headers, String framing) {
    StringBuilder head = new StringBuilder(method + " " + path + " HTTP/1.1\r\n");
    if (!headers.containsKey("Host")) {
      head.append("Host: localhost\r\n");
    }
    headers.forEach((name, value) -> head.append(name).append(": ").append(value).append("\r\n"));
    if (!framing.isEmpty()) {
      head.append(framing).append("\r\n");
    }
    return head.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1);
  }

  /// Status and headers of a response; names in lower case, values of repeated names joined with `, `.
  public record Head(int status, Map<String, String> headers) {
    public String header(String name) {
      return headers.getOrDefault(name.toLowerCase(Locale.ROOT), "");
    }
  }

  /// A response read to its end.
  public record Reply(Head head, ByteString body) {
    public int status() {
      return head.status();
    }

    public String header(String name) {
      return head.header(name);
    }

    public String text() {
      return body.toStringUtf8();
    }

    public Json json() {
      return Json.parse(body.toByteArray());
    }

    /// Reads the response whole, within [Deadline#PATIENCE].
    static Reply of(Exchange exchange) {
      Deadline deadline = Deadline.in(Deadline.PATIENCE);
      try {
        Head head = exchange.head(deadline);
        ByteString.Output body = ByteString.newOutput();
        byte[] part = new byte[16 * 1024];
        for (int n = 0; n >= 0; n = exchange.body(part, 0, part.length, deadline)) {
          body.write(part, 0, n);
        }
        return new Reply(head, body.toByteString());
      } catch (TimeoutException e) {
        throw new AssertionError("no whole response in " + Deadline.PATIENCE, e);
      }
    }
  }

  /// Reads status line and headers, and gets ready for the body.
  public Head head(Deadline deadline) throws TimeoutException {
    String[] status = line(deadline).split(" ", 3);
    if (!status[0].equals("HTTP/1.1")) {
      throw new AssertionError("no HTTP/1.1 status line: " + String.join(" ", status));
    }
    Map<String, String> headers = headers(deadline);
    Head head = new Head(Integer.parseInt(status[1]), headers);
    chunked = head.header("transfer-encoding").equalsIgnoreCase("chunked");
    String length = head.header("content-length");
    betweenChunks = false;
    if (chunked) {
      left = 0;
    } else {
      boolean never = head.status() == 204 || head.status() == 304;
      left = length.isEmpty() ? (never ? 0 : -1) : Long.parseLong(length);
    }
    bodyEnded = !chunked && left == 0;
    return head;
  }

  /// Reads a response whole, within [Deadline#PATIENCE].
  public Reply reply() {
    Deadline deadline = Deadline.in(Deadline.PATIENCE);
    try {
      Head head = head(deadline);
      ByteString.Output body = ByteString.newOutput();
      byte[] part = new byte[16 * 1024];
      int n = body(part, 0, part.length, deadline);
      while (n >= 0) {
        body.write(part, 0, n);
        n = body(part, 0, part.length, deadline);
      }
      return new Reply(head, body.toByteString());
    } catch (TimeoutException e) {
      throw new AssertionError("no whole response in " + Deadline.PATIENCE, e);
    }
  }

  private Map<String, String> headers(Deadline deadline) throws TimeoutException {
    Map<String, String> headers = new TreeMap<>();
    String line = line(deadline);
    while (!line.isEmpty()) {
      int colon = line.indexOf(':');
      if (colon <= 0) {
        throw new AssertionError("no header: " + line);
      }
      headers.merge(
          line.substring(0, colon).toLowerCase(Locale.ROOT),
          line.substring(colon + 1).strip(),
          (a, b) -> a + ", " + b);
      line = line(deadline);
    }
    return headers;
  }

  /// Reads some bytes of the body, chunk marks taken away; -1 at its end.
  public int body(byte[] into, int offset, int length, Deadline deadline) throws TimeoutException {
    while (!bodyEnded && chunked && left == 0) {
      nextChunk(deadline);
    }
    if (bodyEnded) {
      return -1;
    }
    if (from == to && !fill(deadline)) {
      if (left < 0) {
        bodyEnded = true;
        return -1;
      }
      throw new Cut("connection closed inside a body");
    }
    int n = Math.min(length, to - from);
    if (left >= 0) {
      n = (int) Math.min(n, left);
      left -= n;
    }
    System.arraycopy(buffer, from, into, offset, n);
    from += n;
    bodyEnded = !chunked && left == 0;
    return n;
  }

  private void nextChunk(Deadline deadline) throws TimeoutException {
    if (betweenChunks) {
      if (!line(deadline).isEmpty()) {
        throw new AssertionError("chunk longer than announced");
      }
      betweenChunks = false;
    }
    String size = line(deadline);
    left = Long.parseLong(size, 16);
    betweenChunks = left > 0;
    if (left == 0) {
      headers(deadline);
      bodyEnded = true;
    }
  }

  /// Whether the peer has closed and every byte of it was read; waits for either.
  public boolean closedByPeer(Deadline deadline) throws TimeoutException {
    return from == to && !fill(deadline);
  }

  private String line(Deadline deadline) throws TimeoutException {
    int scanned = from;
    while (true) {
      for (; scanned < to; scanned++) {
        if (buffer[scanned] == '\n') {
          int end = scanned > from && buffer[scanned - 1] == '\r' ? scanned - 1 : scanned;
          String line = new String(buffer, from, end - from, StandardCharsets.ISO_8859_1);
          from = scanned + 1;
          return line;
        }
      }
      int seen = scanned - from;
      if (!fill(deadline)) {
        throw new Cut("connection closed inside a line of the response's head");
      }
      scanned = from + seen;
    }
  }

  /// Reads more into the buffer; false when the peer has closed.
  private boolean fill(Deadline deadline) throws TimeoutException {
    if (from == to) {
      from = 0;
      to = 0;
    } else if (to == buffer.length) {
      buffer = Arrays.copyOfRange(buffer, from, from + Math.max(buffer.length, 2 * (to - from)));
      to -= from;
      from = 0;
    }
    try {
      socket.setSoTimeout(deadline.millisLeft());
      InputStream in = socket.getInputStream();
      int n = in.read(buffer, to, buffer.length - to);
      if (n < 0) {
        return false;
      }
      to += n;
      return true;
    } catch (SocketTimeoutException e) {
      TimeoutException timeout = new TimeoutException("nothing from port " + socket.getPort());
      timeout.initCause(e);
      throw timeout;
    } catch (IOException e) {
      throw new Cut(String.valueOf(e.getMessage()), e);
    }
  }

  /// The peer closed, or reset, where a response had to go on.
  public static final class Cut extends RuntimeException {
    private static final long serialVersionUID = 1;

    Cut(String message) {
      super(message);
    }

    Cut(String message, @Nullable Throwable cause) {
      super(message, cause);
    }
  }

  @Override
  public void close() {
    try {
      socket.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
