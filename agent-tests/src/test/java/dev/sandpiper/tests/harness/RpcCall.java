package dev.sandpiper.tests.harness;

import java.util.concurrent.TimeoutException;

/// A call whose requests go one by one. Requests may be sent by another thread than reads the answers.
public interface RpcCall<Q, R> extends MessageStream<R> {
  /// Sends one request; waits for the peer to take it.
  void send(Q request);

  /// No request follows.
  void halfClose();

  /// The answer of a call that has exactly one.
  default R only() throws TimeoutException {
    R answer = next(Deadline.PATIENCE);
    if (answer == null || next(Deadline.PATIENCE) != null) {
      throw new AssertionError("not exactly one message");
    }
    return answer;
  }
}
