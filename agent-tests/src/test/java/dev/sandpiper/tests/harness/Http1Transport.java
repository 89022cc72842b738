package dev.sandpiper.tests.harness;

import java.util.Map;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/// HTTP/1.1 with a connection for each exchange, as E2B's SDKs do for streams.
///
/// @param receiveBytes of the socket; 0 for the default
/// @param tls null for cleartext; with it the receive buffer is the default one
record Http1Transport(int port, int receiveBytes, @Nullable SSLContext tls)
    implements Exchange.Transport {
  @Override
  public Exchange post(String path, Map<String, String> headers, byte @Nullable [] whole) {
    HttpConnection connection =
        tls == null ? HttpConnection.to(port, receiveBytes) : HttpConnection.to(port, tls);
    if (whole == null) {
      connection.sendChunked("POST", path, headers);
    } else {
      connection.send("POST", path, headers, whole);
    }
    return new Exchange() {
      @Override
      public void send(byte[] part) {
        connection.chunk(part);
      }

      @Override
      public void halfClose() {
        connection.lastChunk();
      }

      @Override
      public HttpConnection.Head head(Deadline deadline) throws TimeoutException {
        return connection.head(deadline);
      }

      @Override
      public int body(byte[] into, int offset, int length, Deadline deadline)
          throws TimeoutException {
        return connection.body(into, offset, length, deadline);
      }

      @Override
      public void close() {
        connection.close();
      }
    };
  }

  @Override
  public void close() {}
}
