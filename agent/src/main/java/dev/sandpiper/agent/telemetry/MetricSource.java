package dev.sandpiper.agent.telemetry;

/// A part of the agent that has numbers to show.
public interface MetricSource {
  /// Writes all of its families, each once, whether or not there is anything to count yet. On any thread, while the
  /// agent works; it must not wait for anybody.
  void write(MetricsText text);
}
