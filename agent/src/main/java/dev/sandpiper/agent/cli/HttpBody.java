package dev.sandpiper.agent.cli;

import java.io.IOException;
import java.io.InputStream;

/// The body of an answer whose end is known from the wire; a connection that closes before it is an error.
abstract sealed class HttpBody extends InputStream {
  private final HttpConnection connection;
  private final boolean keepAlive;
  private boolean ended;

  private HttpBody(HttpConnection connection, boolean keepAlive) {
    this.connection = connection;
    this.keepAlive = keepAlive;
  }

  /// How many bytes may be read before the next call; 0 at the end of the body.
  abstract long available(HttpConnection connection) throws IOException;

  abstract void consumed(int bytes);

  @Override
  public final int read() throws IOException {
    var one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
  }

  @Override
  public final int read(byte[] to, int offset, int length) throws IOException {
    if (length == 0) {
      return 0;
    }
    if (ended) {
      return -1;
    }
    var most = available(connection);
    if (most == 0) {
      ended = true;
      connection.finished(keepAlive);
      return -1;
    }
    var count = connection.read(to, offset, (int) Math.min(length, most));
    consumed(count);
    return count;
  }

  /// `Content-Length` bytes.
  static final class Sized extends HttpBody {
    private long left;

    Sized(HttpConnection connection, boolean keepAlive, long length) {
      super(connection, keepAlive);
      this.left = length;
    }

    @Override
    long available(HttpConnection connection) {
      return left;
    }

    @Override
    void consumed(int bytes) {
      left -= bytes;
    }
  }

  /// `Transfer-Encoding: chunked`; extensions and trailers are skipped.
  static final class Chunked extends HttpBody {
    private static final int MAX_LINE_BYTES =
        8 * 1024; // a chunk's size with extensions, and each trailer
    private static final int HEX = 16;
    private long left;
    private boolean first = true;

    Chunked(HttpConnection connection, boolean keepAlive) {
      super(connection, keepAlive);
    }

    @Override
    long available(HttpConnection connection) throws IOException {
      if (left > 0) {
        return left;
      }
      var budget = new int[] {MAX_LINE_BYTES};
      if (!first && !connection.line(budget).isEmpty()) {
        throw new IOException("a chunk is longer than it said");
      }
      first = false;
      left = size(connection.line(budget));
      if (left == 0) {
        while (!connection.line(budget).isEmpty()) {
          // A trailer: Connect has none of its own, and those of proxies mean nothing here.
        }
      }
      return left;
    }

    private static long size(String line) throws IOException {
      var end = line.indexOf(';');
      var digits = (end < 0 ? line : line.substring(0, end)).strip();
      try {
        var size = Long.parseLong(digits, HEX);
        if (size >= 0 && digits.charAt(0) != '+') {
          return size;
        }
      } catch (NumberFormatException e) {
        throw new IOException("not the size of a chunk: " + line, e);
      }
      throw new IOException("not the size of a chunk: " + line);
    }

    @Override
    void consumed(int bytes) {
      left -= bytes;
    }
  }
}
