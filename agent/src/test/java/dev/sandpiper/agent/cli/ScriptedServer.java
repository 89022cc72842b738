package dev.sandpiper.agent.cli;

import com.google.protobuf.ByteString;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/// A server on the loopback that answers the n-th request it gets with the n-th of its answers, byte for byte, whatever
/// was asked. After the last answer of a connection's turn it keeps the connection open, unless told to close.
final class ScriptedServer implements Closeable {
  /// `pieceBytes` bytes of the answer at a time, each piece a write of its own.
  record Answer(ByteString bytes, int pieceBytes, boolean close) {
    static Answer of(String text) {
      return of(ByteString.copyFrom(text, StandardCharsets.ISO_8859_1));
    }

    static Answer of(ByteString bytes) {
      return new Answer(bytes, Integer.MAX_VALUE, false);
    }

    Answer inPiecesOf(int count) {
      return new Answer(bytes, count, close);
    }

    Answer thenClose() {
      return new Answer(bytes, pieceBytes, true);
    }
  }

  record Request(String head, ByteString body) {}

  private final ServerSocket socket = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
  private final BlockingQueue<Answer> answers;
  private final BlockingQueue<Request> requests = new LinkedBlockingQueue<>();
  private final BlockingQueue<Socket> open = new LinkedBlockingQueue<>();

  ScriptedServer(Answer... answers) throws IOException {
    this.answers = new LinkedBlockingQueue<>(List.of(answers));
    Thread.ofVirtual().start(this::accept);
  }

  AgentUrl url() {
    return AgentUrl.local(socket.getLocalPort());
  }

  /// The oldest request not yet taken; waits for it.
  Request request() throws InterruptedException {
    return requests.take();
  }

  int connections() {
    return open.size();
  }

  private void accept() {
    try {
      while (true) {
        var connection = socket.accept();
        open.add(connection);
        Thread.ofVirtual().start(() -> serve(connection));
      }
    } catch (IOException _) {
      // Closed: the test is over.
    }
  }

  private void serve(Socket connection) {
    try {
      connection.setTcpNoDelay(true);
      while (true) {
        requests.add(read(connection.getInputStream()));
        var answer = answers.take();
        var out = connection.getOutputStream();
        for (var at = 0; at < answer.bytes.size(); ) {
          var count = Math.min(answer.pieceBytes, answer.bytes.size() - at);
          answer.bytes.substring(at, at + count).writeTo(out);
          out.flush();
          at += count;
        }
        if (answer.close) {
          connection.close();
          return;
        }
      }
    } catch (IOException | InterruptedException _) {
      // The client or the test has gone.
    }
  }

  private static Request read(InputStream in) throws IOException {
    var head = new ByteArrayOutputStream();
    while (!head.toString(StandardCharsets.ISO_8859_1).endsWith("\r\n\r\n")) {
      var next = in.read();
      if (next < 0) {
        throw new IOException("the client closed the connection");
      }
      head.write(next);
    }
    var text = head.toString(StandardCharsets.ISO_8859_1);
    var length =
        text.lines()
            .filter(line -> line.toLowerCase(Locale.ROOT).startsWith("content-length:"))
            .map(line -> Integer.parseInt(line.substring("content-length:".length()).strip()))
            .findFirst()
            .orElse(0);
    return new Request(text, ByteString.copyFrom(in.readNBytes(length)));
  }

  @Override
  public void close() throws IOException {
    socket.close();
    for (var connection : open) {
      connection.close();
    }
  }
}
