package dev.sandpiper.tests.harness;

import java.util.Map;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// One request and its response on either version of HTTP, read as it comes: what is not asked for stays with the peer.
/// One thread at a time, but the request may be written by another one than reads the response.
interface Exchange extends AutoCloseable {
  /// Sends more of the request's body; waits for the peer to take it.
  void send(byte[] part);

  /// Ends the request's body.
  void halfClose();

  HttpConnection.Head head(Deadline deadline) throws TimeoutException;

  /// Some bytes of the response's body, -1 at its end.
  ///
  /// @throws HttpConnection.Cut when the peer closed, or reset, where it had to go on
  int body(byte[] into, int offset, int length, Deadline deadline) throws TimeoutException;

  /// Goes away: closes the connection, or resets the stream where requests share one.
  @Override
  void close();

  /// Begins exchanges.
  interface Transport extends AutoCloseable {
    /// Sends the head of a request.
    ///
    /// @param whole its body, or `null` when that follows in parts
    Exchange post(String path, Map<String, String> headers, byte @Nullable [] whole);

    @Override
    void close();
  }
}
