package dev.sandpiper.agent.telemetry;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// All parts of the agent that have numbers to show. Thread-safe.
public final class Metrics {
  private static final Logger LOG = LoggerFactory.getLogger("metrics");

  private final Supplier<String> version;
  private final List<MetricSource> sources = new CopyOnWriteArrayList<>();
  private volatile long listeningNanos;

  /// @param version of the agent, asked for when somebody wants to know
  public Metrics(Supplier<String> version) {
    this.version = version;
  }

  public String version() {
    return version.get();
  }

  /// The port is bound now.
  public void listening() {
    listeningNanos = System.nanoTime();
  }

  /// When it was, as [System#nanoTime] tells the time.
  public long listeningNanos() {
    return listeningNanos;
  }

  /// Adds a part, as soon as it is there.
  public void add(MetricSource source) {
    sources.add(source);
  }

  /// Writes the numbers of all parts. One that fails is logged and left out.
  public void write(MetricsText text) {
    for (MetricSource source : sources) {
      var before = text.mark();
      try {
        source.write(text);
      } catch (RuntimeException e) {
        text.reset(before);
        LOG.error("the numbers of {} are left out", source.getClass().getSimpleName(), e);
      }
    }
  }
}
