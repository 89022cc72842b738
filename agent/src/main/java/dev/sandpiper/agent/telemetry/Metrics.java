package dev.sandpiper.agent.telemetry;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// All parts of the agent that have numbers to show. Thread-safe.
public final class Metrics {
  private static final Logger LOG = LoggerFactory.getLogger("metrics");

  private final List<MetricSource> sources = new CopyOnWriteArrayList<>();

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
