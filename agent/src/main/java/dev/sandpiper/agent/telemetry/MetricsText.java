package dev.sandpiper.agent.telemetry;

import java.util.HashSet;
import java.util.Set;

/// Numbers as Prometheus reads them: its text format 0.0.4, or OpenMetrics 1.0.
///
///     text.counter("sandpiper_output_bytes_total", "Bytes that processes printed.")
///         .sample(12, "stream", "stdout")
///         .sample(0, "stream", "stderr");
///
/// The two formats differ in the head of a counter, in what is escaped there, and in the last line. Written by hand, as a
/// library for it would be larger than all that uses it. One thread.
public final class MetricsText {
  /// A place to go back to, see [#reset].
  record Mark(int length, Set<String> names) {}

  private final boolean openMetrics;
  private final StringBuilder text = new StringBuilder(8 * 1024);
  private Set<String> names = new HashSet<>();
  private String name = "";

  public MetricsText(boolean openMetrics) {
    this.openMetrics = openMetrics;
  }

  public String contentType() {
    return openMetrics
        ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
        : "text/plain; version=0.0.4; charset=utf-8";
  }

  /// Begins a number that only grows. Its name ends with `_total`.
  ///
  /// @throws IllegalArgumentException when it does not
  /// @throws IllegalStateException when the name is taken
  public MetricsText counter(String counter, String help) {
    if (!counter.endsWith("_total")) {
      throw new IllegalArgumentException(counter + " does not end with _total");
    }
    String family =
        openMetrics ? counter.substring(0, counter.length() - "_total".length()) : counter;
    return family(family, counter, "counter", help);
  }

  /// Begins a number that goes up and down.
  public MetricsText gauge(String gauge, String help) {
    return family(gauge, gauge, "gauge", help);
  }

  private MetricsText family(String family, String sample, String type, String help) {
    if (!names.add(family)) {
      throw new IllegalStateException(family + " is there already");
    }
    name = sample;
    text.append("# HELP ").append(family).append(' ');
    escape(help, openMetrics);
    text.append("\n# TYPE ").append(family).append(' ').append(type).append('\n');
    return this;
  }

  /// A value of what was begun last.
  ///
  /// @param labels name, value, name, value, …; not the same ones twice
  public MetricsText sample(long value, String... labels) {
    head(labels);
    text.append(value).append('\n');
    return this;
  }

  /// As above, with a fraction.
  public MetricsText sample(double value, String... labels) {
    head(labels);
    if (value == Math.rint(value) && Math.abs(value) < 1e15) {
      text.append((long) value);
    } else if (Double.isInfinite(value)) {
      text.append(value > 0 ? "+Inf" : "-Inf");
    } else {
      text.append(value);
    }
    text.append('\n');
    return this;
  }

  private void head(String[] labels) {
    text.append(name);
    for (int i = 0; i < labels.length; i += 2) {
      text.append(i == 0 ? '{' : ',').append(labels[i]).append("=\"");
      escape(labels[i + 1], true);
      text.append('"');
    }
    text.append(labels.length == 0 ? " " : "} ");
  }

  private void escape(String value, boolean quotes) {
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      switch (c) {
        case '\\' -> text.append("\\\\");
        case '\n' -> text.append("\\n");
        case '"' -> text.append(quotes ? "\\\"" : "\"");
        default -> text.append(c);
      }
    }
  }

  /// The whole text. Nothing may follow.
  public String finish() {
    return openMetrics ? text.append("# EOF\n").toString() : text.toString();
  }

  Mark mark() {
    return new Mark(text.length(), new HashSet<>(names));
  }

  /// Takes back what was written since.
  void reset(Mark mark) {
    text.setLength(mark.length);
    names = mark.names;
  }
}
