package dev.sandpiper.agent.process;

import dev.sandpiper.agent.output.PipeLoop;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/// Finished processes that are forgotten soon: after a minute, or when more than a hundred are newer, so that they crowd
/// nobody out of the finished ones. Lives on the pipe loop.
final class EphemeralEnds {
  static final int MOST = 100;
  static final Duration KEPT = Duration.ofMinutes(1);

  private record End(String processId, long dueNanos) {}

  private final PipeLoop loop;
  private final LongSupplier nanoTime;
  private final Consumer<String> delete;
  private final ArrayDeque<End> ends = new ArrayDeque<>();
  private boolean scheduled;

  EphemeralEnds(PipeLoop loop, LongSupplier nanoTime, Consumer<String> delete) {
    this.loop = loop;
    this.nanoTime = nanoTime;
    this.delete = delete;
  }

  void add(String processId) {
    ends.addLast(new End(processId, nanoTime.getAsLong() + KEPT.toNanos()));
    forget();
  }

  private void forget() {
    while (ends.size() > MOST || (!ends.isEmpty() && left() <= 0)) {
      delete.accept(ends.removeFirst().processId());
    }
    if (!ends.isEmpty() && !scheduled) {
      scheduled = true;
      loop.schedule(
          () -> {
            scheduled = false;
            forget();
          },
          Duration.ofNanos(left()));
    }
  }

  private long left() {
    return ends.getFirst().dueNanos() - nanoTime.getAsLong();
  }
}
