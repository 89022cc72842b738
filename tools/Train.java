import com.google.protobuf.ByteString;
import dev.sandpiper.proto.process.ProcessConfig;
import dev.sandpiper.proto.process.ProcessInput;
import dev.sandpiper.proto.process.ProcessSelector;
import dev.sandpiper.proto.process.SendInputRequest;
import dev.sandpiper.proto.process.StartRequest;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/// Drives an agent along its real paths while its AOT cache is being recorded.
///
/// A method that this makes hot is kept as the first compiler left it: no counting, and no second compiler that would take more
/// time than it saves. That is right for starts, of which there are many here, and wrong for what moves bytes. So little
/// goes through JSON and its base64; the long stream is a binary one.
final class Train {
  /// Enough for the first compiler to have seen all of a start. With 40 an agent's first 1,300 starts took four times the CPU,
  /// most of it in the second compiler.
  private static final int STARTS = 2_000;

  /// Two windows of a download.
  private static final int LARGE_BYTES = 6 * 1024 * 1024;

  private static final String LINES =
      "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done";

  private final int port;
  private int calls;

  Train(int port) {
    this.port = port;
  }

  /// Asks `/health` until it is answered with 204; throws once `limit` is over or the agent is not `alive`.
  void awaitHealth(Duration limit, BooleanSupplier alive) throws IOException {
    var end = Instant.now().plus(limit);
    while (true) {
      try {
        String head = http("GET /health", "text/plain", new byte[0]);
        if (head.startsWith("HTTP/1.1 204")) {
          return;
        }
        throw new IllegalStateException("/health answers " + head.lines().findFirst().orElse(""));
      } catch (IOException e) {
        if (!alive.getAsBoolean()) {
          throw new IOException("the agent ended before it answered", e);
        }
        if (Instant.now().isAfter(end)) {
          throw new IOException("the agent did not answer on port " + port + " in " + limit, e);
        }
        LockSupport.parkNanos(Duration.ofMillis(10).toNanos());
      }
    }
  }

  /// Every kind of call that a client makes in its first minute.
  ///
  /// @param scratch where files may be made
  void exercise(Path scratch) throws IOException {
    for (int i = 0; i < STARTS; i++) {
      http("GET /health", "text/plain", new byte[0]);
      startJson("{\"process\":{\"cmd\":\"/bin/true\"},\"stdin\":false}");
    }
    startJson(
        """
        {"process":{"cmd":"/bin/sh","args":["-c","echo out; echo err >&2; exit 3"],"envs":{"A":"b"},"cwd":"/"},
         "tag":"train"}\
        """);
    startJson(
        """
        {"process":{"cmd":"/bin/sh","args":["-c","stty size; exit"]},"pty":{"size":{"cols":80,"rows":24}}}\
        """);
    http("POST /process.Process/List", "application/json", utf8("{}"));
    for (int i = 0; i < STARTS; i++) {
      http("POST /filesystem.Filesystem/Stat", "application/json", utf8("{\"path\":\"/etc\"}"));
      http("POST /filesystem.Filesystem/ListDir", "application/json", utf8("{\"path\":\"/etc\"}"));
    }
    byte[] content = utf8("a small file\n".repeat(20));
    for (int i = 0; i < STARTS; i++) {
      String file =
          " /files?path=" + scratch + "/small/" + i % (STARTS / 2); // new ones, then again
      http("POST" + file, "application/octet-stream", content);
      http("GET" + file, "text/plain", new byte[0]);
    }
    byte[] large = new byte[LARGE_BYTES];
    for (int i = 0; i < 20; i++) {
      String file = " /files?path=" + scratch + "/large";
      http("POST" + file, "application/octet-stream", large);
      http("GET" + file, "text/plain", new byte[0]);
    }
    http("POST /files", "multipart/form-data; boundary=b", form(scratch + "/small/of-a-form"));
    // An error, in each of its two shapes.
    http(
        "POST /process.Process/SendSignal",
        "application/json",
        utf8("{\"process\":{\"pid\":1},\"signal\":\"SIGNAL_SIGTERM\"}"));
    startJson("{\"process\":{\"cmd\":\"/nonexistent\"}}");
    startBinary(request("/bin/sh", "-c", LINES));
    startBinary(request("/bin/sh", "-c", "head -c 4000000 /dev/zero"));
    input();
    grpc("/grpc.health.v1.Health/Check", new byte[0]);
    grpc("/process.Process/Start", request("/bin/sh", "-c", "echo over grpc").toByteArray());
    grpc("/process.Process/List", new byte[0]);
  }

  private static byte[] form(String path) {
    return utf8(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\n\r\ntext\r\n--b--\r\n"
            .formatted(path));
  }

  private void startJson(String message) throws IOException {
    http("POST /process.Process/Start", "application/connect+json", envelope(utf8(message)));
  }

  private void startBinary(StartRequest request) throws IOException {
    http(
        "POST /process.Process/Start",
        "application/connect+proto",
        envelope(request.toByteArray()));
  }

  // A command that is fed, closed and waited for, by its tag.
  private void input() throws IOException {
    var selector = ProcessSelector.newBuilder().setTag("fed").build();
    var request =
        request("/bin/cat").toBuilder().setStdin(true).setTag("fed").build().toByteArray();
    try (var call = new Http1("POST /process.Process/Start", "application/connect+proto")) {
      call.send(envelope(request));
      call.awaitFirstByteOfBody();
      byte[] input =
          SendInputRequest.newBuilder()
              .setProcess(selector)
              .setInput(ProcessInput.newBuilder().setStdin(ByteString.copyFromUtf8("fed\n")))
              .build()
              .toByteArray();
      http("POST /process.Process/SendInput", "application/proto", input);
      http(
          "POST /process.Process/CloseStdin",
          "application/json",
          utf8("{\"process\":{\"tag\":\"fed\"}}"));
      call.readAll();
    }
  }

  private static StartRequest request(String command, String... arguments) {
    return StartRequest.newBuilder()
        .setProcess(
            ProcessConfig.newBuilder().setCmd(command).addAllArgs(List.of(arguments)).build())
        .setStdin(false)
        .build();
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] envelope(byte[] message) {
    return ByteBuffer.allocate(5 + message.length)
        .put((byte) 0)
        .putInt(message.length)
        .put(message)
        .array();
  }

  private String http(String methodAndPath, String type, byte[] body) throws IOException {
    try (var call = new Http1(methodAndPath, type)) {
      call.send(body);
      return call.readAll();
    }
  }

  /// Clients name the host or its address, and some of them the user.
  private String who() {
    if (calls++ % 2 == 0) {
      return "Host: localhost\r\n";
    }
    String user = System.getProperty("user.name", "root") + ":";
    return "Host: 127.0.0.1:"
        + port
        + "\r\nAuthorization: Basic "
        + Base64.getEncoder().encodeToString(utf8(user))
        + "\r\n";
  }

  /// One exchange on a connection of its own, read until the agent closes it.
  private final class Http1 implements AutoCloseable {
    private final Socket socket = new Socket();
    private final String methodAndPath;
    private final String type;
    private final StringBuilder answer = new StringBuilder();

    Http1(String methodAndPath, String type) throws IOException {
      this.methodAndPath = methodAndPath;
      this.type = type;
      socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1000);
      socket.setSoTimeout(120_000);
    }

    void send(byte[] body) throws IOException {
      var request = new ByteArrayOutputStream();
      request.writeBytes(
          utf8(
              methodAndPath
                  + " HTTP/1.1\r\n"
                  + who()
                  + "Connection: close\r\nContent-Type: "
                  + type
                  + "\r\nConnect-Protocol-Version: 1\r\nContent-Length: "
                  + body.length
                  + "\r\n\r\n"));
      request.writeBytes(body);
      socket.getOutputStream().write(request.toByteArray());
    }

    void awaitFirstByteOfBody() throws IOException {
      byte[] buffer = new byte[4096];
      while (answer.indexOf("\r\n\r\n") < 0 || answer.length() == answer.indexOf("\r\n\r\n") + 4) {
        int n = socket.getInputStream().read(buffer);
        if (n < 0) {
          throw new IOException(methodAndPath + " ended without an answer");
        }
        answer.append(new String(buffer, 0, n, StandardCharsets.ISO_8859_1));
      }
    }

    String readAll() throws IOException {
      byte[] rest = socket.getInputStream().readAllBytes();
      answer.append(new String(rest, StandardCharsets.ISO_8859_1));
      if (!answer.toString().startsWith("HTTP/1.1 ")) {
        throw new IOException(methodAndPath + " was not answered in HTTP/1.1");
      }
      return answer.toString();
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }

  // Just enough of HTTP/2 for one call: literal headers, one data frame, then whatever comes until
  // the stream ends.
  private void grpc(String path, byte[] message) throws IOException {
    try (var socket = new Socket()) {
      socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1000);
      socket.setSoTimeout(120_000);
      var out = new DataOutputStream(socket.getOutputStream());
      var in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
      out.writeBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
      frame(out, 4, 0, 0, new byte[0]);
      frame(
          out,
          1,
          4,
          1,
          headers(
              List.of(
                  Map.entry(":method", "POST"),
                  Map.entry(":scheme", "http"),
                  Map.entry(":path", path),
                  Map.entry(":authority", "localhost"),
                  Map.entry("content-type", "application/grpc"),
                  Map.entry("te", "trailers"))));
      frame(out, 0, 1, 1, envelope(message));
      out.flush();
      while (true) {
        int length = in.readUnsignedByte() << 16 | in.readUnsignedShort();
        int type = in.readUnsignedByte();
        int flags = in.readUnsignedByte();
        int stream = in.readInt();
        in.skipNBytes(length);
        if (type == 4 && (flags & 1) == 0) {
          frame(out, 4, 1, 0, new byte[0]);
          out.flush();
        }
        if (type == 3 || type == 7) {
          throw new IOException("gRPC " + path + " was refused with frame " + type);
        }
        if (stream == 1 && (flags & 1) != 0) {
          return;
        }
      }
    }
  }

  private static void frame(OutputStream out, int type, int flags, int stream, byte[] payload)
      throws IOException {
    out.write(
        ByteBuffer.allocate(9 + payload.length)
            .put((byte) (payload.length >> 16))
            .putShort((short) payload.length)
            .put((byte) type)
            .put((byte) flags)
            .putInt(stream)
            .put(payload)
            .array());
  }

  private static byte[] headers(List<Map.Entry<String, String>> headers) {
    var block = new ByteArrayOutputStream();
    for (var header : headers) {
      block.write(0); // a literal that is not to be remembered, with a literal name
      for (String text : List.of(header.getKey(), header.getValue())) {
        block.write(text.length()); // below 127, not Huffman
        block.writeBytes(utf8(text));
      }
    }
    return block.toByteArray();
  }
}
