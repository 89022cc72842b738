package dev.sandpiper.agent.rpc;

import io.grpc.Status;
import java.util.concurrent.atomic.AtomicLongArray;

/// How often a method was called, by the code it was answered with. Counting allocates nothing.
///
/// Two socket loops at most count here, so plain atomics do, in a thirtieth of the memory that an adder for each code
/// would take.
final class MethodCounts {
  private static final int CODES = Status.Code.values().length;
  private static final int IN_FLIGHT = CODES;

  private final AtomicLongArray counts = new AtomicLongArray(CODES + 1);

  /// A call was started: [#ended] follows.
  void began() {
    counts.incrementAndGet(IN_FLIGHT);
  }

  void ended(Status.Code code) {
    counts.decrementAndGet(IN_FLIGHT);
    refused(code);
  }

  /// It was answered before there was a call.
  void refused(Status.Code code) {
    counts.incrementAndGet(code.value());
  }

  long inFlight() {
    return counts.get(IN_FLIGHT);
  }

  long get(Status.Code code) {
    return counts.get(code.value());
  }
}
