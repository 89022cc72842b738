package dev.sandpiper.tests.harness;

import com.google.protobuf.ByteString;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2HeadersDecoder;
import io.netty.handler.codec.http2.Http2Exception;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// One cleartext HTTP/2 connection, frame by frame: sends what it is told, also what no client should, and shows what
/// comes back. Acknowledges settings and pings; opens no window by itself. One thread at a time.
public final class FrameConnection implements AutoCloseable {
  public static final int DATA = 0;
  public static final int HEADERS = 1;
  public static final int RST_STREAM = 3;
  public static final int SETTINGS = 4;
  public static final int PING = 6;
  public static final int GOAWAY = 7;
  public static final int WINDOW_UPDATE = 8;
  public static final int CONTINUATION = 9;

  public static final int END_STREAM = 1;
  public static final int ACK = 1;
  public static final int END_HEADERS = 4;

  private static final int INITIAL_WINDOW_SIZE = 4; // RFC 9113, 6.5.2
  private static final String PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

  private final Socket socket;
  private final OutputStream out;
  private final DataInputStream in;
  private final DefaultHttp2HeadersDecoder hpack = new DefaultHttp2HeadersDecoder();
  private int nextStream = 1;

  /// What came. `headers` only of a HEADERS frame, whose continuations are joined to it.
  public record Frame(
      int type, int flags, int stream, ByteString payload, Map<String, String> headers) {
    public boolean is(int wanted, int onStream) {
      return type == wanted && stream == onStream;
    }

    public boolean endsStream() {
      return (type == DATA || type == HEADERS) && (flags & END_STREAM) != 0;
    }

    /// The four bytes that begin at `offset`: the error code of RST_STREAM at 0, of GOAWAY at 4.
    public int number(int offset) {
      return payload.asReadOnlyByteBuffer().getInt(offset);
    }
  }

  private FrameConnection(int port) throws IOException {
    socket = new Socket();
    socket.setTcpNoDelay(true);
    socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 10_000);
    out = socket.getOutputStream();
    in = new DataInputStream(new BufferedInputStream(socket.getInputStream(), 64 * 1024));
  }

  public static FrameConnection to(int port) {
    return to(port, 65_535);
  }

  /// Connects with a window of a given size for each stream: how much the agent may send on it before a [#windowUpdate].
  /// On the connection it is 65,535 in any case.
  public static FrameConnection to(int port, int streamWindow) {
    try {
      FrameConnection connection = new FrameConnection(port);
      connection.out.write(PREFACE.getBytes(StandardCharsets.US_ASCII));
      connection.send(
          SETTINGS,
          0,
          0,
          ByteBuffer.allocate(6)
              .putShort((short) INITIAL_WINDOW_SIZE)
              .putInt(streamWindow)
              .array());
      return connection;
    } catch (IOException e) {
      throw new UncheckedIOException("connecting to port " + port, e);
    }
  }

  public FrameConnection send(int type, int flags, int stream, byte[] payload) {
    try {
      out.write(frame(type, flags, stream, payload));
      return this;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public static byte[] frame(int type, int flags, int stream, byte[] payload) {
    return ByteBuffer.allocate(9 + payload.length)
        .put((byte) (payload.length >> 16))
        .putShort((short) payload.length)
        .put((byte) type)
        .put((byte) flags)
        .putInt(stream)
        .put(payload)
        .array();
  }

  /// Many frames in one write.
  public FrameConnection sendRaw(byte[] frames) {
    try {
      out.write(frames);
      return this;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The number of a stream that was not used yet.
  public int newStream() {
    int stream = nextStream;
    nextStream += 2;
    return stream;
  }

  /// Begins a request; its stream.
  public int request(String method, String path, Map<String, String> headers, boolean last) {
    int stream = newStream();
    send(
        HEADERS,
        END_HEADERS | (last ? END_STREAM : 0),
        stream,
        block(fields(method, path, headers)));
    return stream;
  }

  /// A whole call with a body.
  public int call(String path, String type, byte[] body) {
    int stream = request("POST", path, Map.of("content-type", type), false);
    data(stream, body, true);
    return stream;
  }

  /// A whole Connect call of a stream in JSON.
  public int stream(String path, String json) {
    return call(
        path, "application/connect+json", Envelopes.of(0, json.getBytes(StandardCharsets.UTF_8)));
  }

  public static Map<String, String> fields(
      String method, String path, Map<String, String> headers) {
    Map<String, String> all = new LinkedHashMap<>();
    all.put(":method", method);
    all.put(":scheme", "http");
    all.put(":path", path);
    all.put(":authority", "localhost");
    all.putAll(headers);
    return all;
  }

  /// A header block in which every field is literal and enters no table (RFC 7541, 6.2.2).
  public static byte[] block(Map<String, String> fields) {
    ByteArrayOutputStream block = new ByteArrayOutputStream();
    fields.forEach((name, value) -> {
      block.write(0);
      text(block, name);
      text(block, value);
    });
    return block.toByteArray();
  }

  private static void text(ByteArrayOutputStream block, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
    int prefix = 0x7f; // seven bits of length, no Huffman code
    if (bytes.length < prefix) {
      block.write(bytes.length);
    } else {
      block.write(prefix);
      int rest = bytes.length - prefix;
      while (rest >= 0x80) {
        block.write((rest & 0x7f) | 0x80);
        rest >>= 7;
      }
      block.write(rest);
    }
    block.writeBytes(bytes);
  }

  public FrameConnection data(int stream, byte[] bytes, boolean last) {
    return send(DATA, last ? END_STREAM : 0, stream, bytes);
  }

  /// Lets the agent send more on a stream, or on the connection with stream 0.
  public FrameConnection windowUpdate(int stream, int bytes) {
    return send(WINDOW_UPDATE, 0, stream, ByteBuffer.allocate(4).putInt(bytes).array());
  }

  public FrameConnection reset(int stream, int code) {
    return send(RST_STREAM, 0, stream, ByteBuffer.allocate(4).putInt(code).array());
  }

  /// The next frame that is no acknowledgement, or null when the agent has closed.
  public @Nullable Frame next(Deadline deadline) throws TimeoutException {
    try {
      while (true) {
        socket.setSoTimeout(deadline.millisLeft());
        Frame frame = read();
        switch (frame.type) {
          case SETTINGS -> {
            if ((frame.flags & ACK) == 0) {
              send(SETTINGS, ACK, 0, new byte[0]);
            }
          }
          case PING -> {
            if ((frame.flags & ACK) == 0) {
              send(PING, ACK, 0, frame.payload.toByteArray());
            }
          }
          default -> {
            return frame;
          }
        }
      }
    } catch (SocketTimeoutException e) {
      TimeoutException timeout = new TimeoutException("no frame from port " + socket.getPort());
      timeout.initCause(e);
      throw timeout;
    } catch (EOFException | SocketException | UncheckedIOException e) {
      return null; // closed or reset
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Frame read() throws IOException {
    byte[] head = in.readNBytes(9);
    if (head.length < 9) {
      throw new EOFException();
    }
    ByteBuffer fields = ByteBuffer.wrap(head);
    int length = (fields.get() & 0xff) << 16 | (fields.getShort() & 0xffff);
    int type = fields.get();
    int flags = fields.get() & 0xff;
    int stream = fields.getInt();
    byte[] payload = new byte[length];
    in.readFully(payload);
    if (type != HEADERS) {
      return new Frame(type, flags, stream, ByteString.copyFrom(payload), Map.of());
    }
    ByteArrayOutputStream block = new ByteArrayOutputStream();
    block.writeBytes(payload);
    int last = flags;
    while ((last & END_HEADERS) == 0) {
      Frame more = read();
      block.writeBytes(more.payload.toByteArray());
      last = more.flags;
    }
    Map<String, String> headers = new TreeMap<>();
    try {
      hpack
          .decodeHeaders(stream, Unpooled.wrappedBuffer(block.toByteArray()))
          .forEach(field -> headers.put(field.getKey().toString(), field.getValue().toString()));
    } catch (Http2Exception e) {
      throw new AssertionError("a header block that cannot be read", e);
    }
    return new Frame(type, flags, stream, ByteString.EMPTY, headers);
  }

  /// Reads on to the first frame that fits, within [Deadline#PATIENCE]; fails when the connection ends before.
  public Frame await(String what, Predicate<Frame> fits) {
    Deadline deadline = Deadline.in(Deadline.PATIENCE);
    try {
      for (Frame frame = next(deadline); frame != null; frame = next(deadline)) {
        if (fits.test(frame)) {
          return frame;
        }
      }
      throw new AssertionError("the connection ended before " + what);
    } catch (TimeoutException e) {
      throw new AssertionError("not seen: " + what, e);
    }
  }

  /// A response read to its end.
  ///
  /// @param code of RST_STREAM, or -1 if the stream ended well
  public record Reply(int status, ByteString body, int code) {
    public String text() {
      return body.toStringUtf8();
    }
  }

  /// Reads one stream's response to its end, and opens windows for it; frames of others are dropped.
  public Reply reply(int stream) {
    ByteString.Output body = ByteString.newOutput();
    int[] status = {0};
    Frame last =
        await(
            "the end of stream " + stream,
            frame -> {
              if (frame.is(HEADERS, stream)
                  && status[0] < 200
                  && frame.headers.containsKey(":status")) {
                status[0] = Integer.parseInt(frame.headers.get(":status"));
              }
              if (frame.is(DATA, stream)) {
                frame.payload.forEach(body::write);
                if (!frame.payload.isEmpty()) {
                  windowUpdate(0, frame.payload.size());
                  if (!frame.endsStream()) {
                    windowUpdate(stream, frame.payload.size());
                  }
                }
              }
              return frame.stream == stream && (frame.endsStream() || frame.type == RST_STREAM);
            });
    return new Reply(status[0], body.toByteString(), last.type == RST_STREAM ? last.number(0) : -1);
  }

  /// Reads until the agent has closed the connection; the GOAWAY that came before, if one did.
  public @Nullable Frame awaitClose() {
    Deadline deadline = Deadline.in(Deadline.PATIENCE);
    Frame goAway = null;
    try {
      for (Frame frame = next(deadline); frame != null; frame = next(deadline)) {
        if (frame.type == GOAWAY) {
          goAway = frame;
        }
      }
      return goAway;
    } catch (TimeoutException e) {
      throw new AssertionError("the connection stays open", e);
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
