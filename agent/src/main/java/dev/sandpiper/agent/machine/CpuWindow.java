package dev.sandpiper.agent.machine;

import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/// How busy the processors were, over the time since somebody asked last, but over a second at least.
///
/// So one poller sees everything between two of its calls, and two of them do not take each other's time away. The
/// first answer is 0, as there is no time yet to speak of. Not thread-safe.
final class CpuWindow {
  static final long LEAST_NANOS = 1_000_000_000L;

  /// Samples closer together than this would only fill the list: the kernel counts in steps of 10 ms.
  private static final long APART_NANOS = LEAST_NANOS / 10;

  private record Sample(long nanos, double usedSeconds, double processors) {}

  /// Oldest first: the one that the last answer began at, and younger ones. Bound: a second's worth, 11.
  private final ArrayDeque<Sample> samples = new ArrayDeque<>();

  private double last;

  /// The percentage of `processors` that was used, 0 to 100.
  ///
  /// @param nanos now, of a clock that only goes forward
  /// @param usedSeconds of processors' time, a count that only grows
  double percent(long nanos, double usedSeconds, double processors) {
    Sample newest = samples.peekLast();
    if (newest != null && (newest.processors != processors || newest.usedSeconds > usedSeconds)) {
      samples.clear(); // another limit, so another count
      newest = null;
    }
    if (newest == null) {
      samples.add(new Sample(nanos, usedSeconds, processors));
      last = 0;
      return last;
    }
    Sample from = begin(nanos);
    long passed = nanos - from.nanos;
    if (passed < APART_NANOS) {
      return last;
    }
    double share = (usedSeconds - from.usedSeconds) / (passed / 1e9 * processors);
    last = Math.clamp(share * 100, 0, 100);
    if (nanos - newest.nanos >= APART_NANOS) {
      samples.add(new Sample(nanos, usedSeconds, processors));
    }
    return last;
  }

  /// The newest sample that is old enough, else the oldest; those before it go.
  private Sample begin(long nanos) {
    Sample from = samples.getFirst();
    while (true) {
      Sample next = second();
      if (next == null || nanos - next.nanos < LEAST_NANOS) {
        return from;
      }
      samples.removeFirst();
      from = next;
    }
  }

  private @Nullable Sample second() {
    var all = samples.iterator();
    all.next();
    return all.hasNext() ? all.next() : null;
  }
}
