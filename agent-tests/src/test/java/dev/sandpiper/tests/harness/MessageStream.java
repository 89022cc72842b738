package dev.sandpiper.tests.harness;

import java.time.Duration;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// The answer of a server-stream call, pulled by one thread.
public interface MessageStream<R> extends AutoCloseable {
  /// The next message; `null` once the call has ended well.
  ///
  /// @throws RpcException when the call ended with an error
  /// @throws TimeoutException when nothing complete came within the limit; the next call goes on where this one was
  @Nullable R next(Duration limit) throws TimeoutException;

  /// Goes away without a word: closes the connection, or cancels the call where calls share one.
  @Override
  void close();
}
