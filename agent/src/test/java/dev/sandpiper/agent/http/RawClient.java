package dev.sandpiper.agent.http;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/// An HTTP/1.1 client that sends exactly what it is told and shows exactly what comes back.
public final class RawClient implements AutoCloseable {
  private final Socket socket;
  private final InputStream in;
  private final OutputStream out;

  public RawClient(int port) throws IOException {
    this(port, 0);
  }

  /// @param receiveBuffer of the socket; 0 for the system's choice
  public RawClient(int port, int receiveBuffer) throws IOException {
    socket = new Socket();
    if (receiveBuffer > 0) {
      socket.setReceiveBufferSize(receiveBuffer);
    }
    socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    socket.setSoTimeout(20_000);
    in = new java.io.BufferedInputStream(socket.getInputStream());
    out = socket.getOutputStream();
  }

  /// Lines end with `\n` here and with CRLF on the wire.
  public RawClient send(String text) throws IOException {
    return send(text.replace("\n", "\r\n").getBytes(StandardCharsets.ISO_8859_1));
  }

  public RawClient send(byte[] bytes) throws IOException {
    out.write(bytes);
    out.flush();
    return this;
  }

  public Socket socket() {
    return socket;
  }

  public InputStream in() {
    return in;
  }

  /// A response, its body unchunked.
  @SuppressWarnings("ArrayRecordComponent") // read by tests, never compared
  public record Response(
      int status, Map<String, String> headers, byte[] body, Map<String, String> trailers) {
    public String text() {
      return new String(body, StandardCharsets.UTF_8);
    }
  }

  public Response read() throws IOException {
    return read(false);
  }

  public Response read(boolean head) throws IOException {
    String statusLine = line();
    int status = Integer.parseInt(statusLine.split(" ", -1)[1]);
    Map<String, String> headers = fields();
    Map<String, String> trailers = Map.of();
    byte[] body = new byte[0];
    if (!head && status >= 200 && status != 204 && status != 304) {
      if ("chunked".equals(headers.get("transfer-encoding"))) {
        var all = new ByteArrayOutputStream();
        for (byte[] chunk = chunk(); chunk.length > 0; chunk = chunk()) {
          all.write(chunk);
        }
        trailers = fields();
        body = all.toByteArray();
      } else if (headers.containsKey("content-length")) {
        body = in.readNBytes(Integer.parseInt(headers.get("content-length")));
      } else {
        body = in.readAllBytes();
      }
    }
    return new Response(status, headers, body, trailers);
  }

  /// Status and headers only.
  public Response readHead() throws IOException {
    return read(true);
  }

  /// One chunk; the last one is empty, and its trailers follow.
  public byte[] chunk() throws IOException {
    int size = Integer.parseInt(line(), 16);
    byte[] chunk = in.readNBytes(size);
    if (size > 0) {
      line();
    }
    return chunk;
  }

  private Map<String, String> fields() throws IOException {
    Map<String, String> fields = new LinkedHashMap<>();
    for (String line = line(); !line.isEmpty(); line = line()) {
      int colon = line.indexOf(':');
      fields.merge(
          line.substring(0, colon).toLowerCase(Locale.ROOT),
          line.substring(colon + 1).strip(),
          (a, b) -> a + "|" + b);
    }
    return fields;
  }

  public String line() throws IOException {
    var line = new ByteArrayOutputStream();
    for (int b = in.read(); b != '\n'; b = in.read()) {
      if (b < 0) {
        throw new java.io.EOFException("the connection ended in: " + line);
      }
      line.write(b);
    }
    return line.toString(StandardCharsets.ISO_8859_1).stripTrailing();
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
