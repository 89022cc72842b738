package dev.sandpiper.agent.process;

import dev.sandpiper.agent.telemetry.MetricSource;
import dev.sandpiper.agent.telemetry.MetricsText;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/// How many processes began and ended, and how. Any thread; counting waits for nobody.
final class ProcessCounters implements MetricSource {
  private final LongAdder started = new LongAdder();
  private final LongAdder inputBytes = new LongAdder();
  private final Map<EndCause, LongAdder> ended = new EnumMap<>(EndCause.class);
  private final Map<StartRefused.Reason, LongAdder> refused =
      new EnumMap<>(StartRefused.Reason.class);

  ProcessCounters() {
    for (EndCause cause : EndCause.values()) {
      ended.put(cause, new LongAdder());
    }
    for (StartRefused.Reason reason : StartRefused.Reason.values()) {
      refused.put(reason, new LongAdder());
    }
  }

  void started() {
    started.increment();
  }

  void ended(EndCause cause) {
    increment(ended.get(cause));
  }

  void refused(StartRefused.Reason reason) {
    increment(refused.get(reason));
  }

  private static void increment(@Nullable LongAdder count) {
    if (count != null) {
      count.increment();
    }
  }

  /// Bytes that a process's input took.
  void input(long bytes) {
    inputBytes.add(bytes);
  }

  @Override
  public void write(MetricsText text) {
    Map<EndCause, Long> ends = new EnumMap<>(EndCause.class);
    ended.forEach((cause, count) -> ends.put(cause, count.sum()));
    long all = ends.values().stream().mapToLong(Long::longValue).sum();
    long starts = started.sum(); // after the ends: never have more ended than begun
    text.counter("sandpiper_processes_started_total", "Processes that were started.")
        .sample(starts);
    text.gauge("sandpiper_processes_running", "Processes that have not ended.")
        .sample(starts - all);
    text.counter("sandpiper_processes_ended_total", "Processes that ended, by who ended them.");
    ends.forEach((cause, count) -> text.sample(count, "cause", name(cause)));
    text.counter(
        "sandpiper_process_starts_refused_total", "Processes that could not be started, by why.");
    refused.forEach((reason, count) -> text.sample(count.sum(), "reason", name(reason)));
    text.counter("sandpiper_input_bytes_total", "Bytes that the input of processes took.")
        .sample(inputBytes.sum());
  }

  private static String name(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
