package dev.sandpiper.agent.http;

import java.util.concurrent.atomic.AtomicLongArray;

/// How many requests a route took, and how they were answered. Counting allocates nothing and waits for nobody.
final class RequestCounts {
  static final int CLASSES = 6;

  private static final int ABORTED =
      0; // the place of the statuses from 0 to 99, which there are not
  private static final int IN_FLIGHT = CLASSES;

  private final String route;
  private final AtomicLongArray counts = new AtomicLongArray(CLASSES + 1);

  RequestCounts(String route) {
    this.route = route;
  }

  String route() {
    return route;
  }

  /// A request came: [#ended] follows.
  void began() {
    counts.incrementAndGet(IN_FLIGHT);
  }

  void answered(int status) {
    counts.incrementAndGet(Math.clamp(status / 100, 1, CLASSES - 1));
  }

  /// @param answered whether a status was sent before
  void ended(boolean answered) {
    counts.decrementAndGet(IN_FLIGHT);
    if (!answered) {
      counts.incrementAndGet(ABORTED);
    }
  }

  long inFlight() {
    return counts.get(IN_FLIGHT);
  }

  /// @param statusClass the first digit of the status; 0 for those that were not answered
  long get(int statusClass) {
    return counts.get(statusClass);
  }
}
