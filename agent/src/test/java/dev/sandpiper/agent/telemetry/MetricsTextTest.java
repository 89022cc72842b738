package dev.sandpiper.agent.telemetry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

final class MetricsTextTest {
  private static MetricsText filled(boolean openMetrics) {
    MetricsText text = new MetricsText(openMetrics);
    text.counter("a_total", "Counts \"a\" \\ b.").sample(3, "x", "1", "y", "q\"\\\n").sample(4);
    text.gauge("b", "Two\nlines.").sample(1.5).sample(2.0, "x", "y");
    text.gauge("c", "Nothing yet.");
    return text;
  }

  @Test
  void writesPrometheusText() {
    MetricsText text = filled(false);
    assertThat(text.contentType()).isEqualTo("text/plain; version=0.0.4; charset=utf-8");
    assertThat(text.finish())
        .isEqualTo(
            """
            # HELP a_total Counts "a" \\\\ b.
            # TYPE a_total counter
            a_total{x="1",y="q\\"\\\\\\n"} 3
            a_total 4
            # HELP b Two\\nlines.
            # TYPE b gauge
            b 1.5
            b{x="y"} 2
            # HELP c Nothing yet.
            # TYPE c gauge
            """);
  }

  @Test
  void writesOpenMetrics() {
    assertThat(filled(true).finish())
        .startsWith("# HELP a Counts \\\"a\\\" \\\\ b.\n# TYPE a counter\na_total{")
        .endsWith("# TYPE c gauge\n# EOF\n");
  }

  @Test
  void refusesNamesThatReadersWouldRefuse() {
    MetricsText text = filled(true);
    assertThatThrownBy(() -> text.gauge("b", "Again.")).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> text.counter("d", "No total."))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aPartThatFailsIsLeftOutWhole() {
    Metrics metrics = new Metrics(() -> "1");
    metrics.add(text -> text.gauge("a", "A.").sample(1));
    metrics.add(text -> {
      text.gauge("b", "B.").sample(1);
      throw new IllegalStateException("on purpose");
    });
    metrics.add(text -> text.gauge("b", "Another b.").sample(2));
    MetricsText text = new MetricsText(false);
    metrics.write(text);
    assertThat(text.finish()).contains("a 1\n", "Another b", "b 2\n").doesNotContain("b 1\n");
  }
}
