package dev.sandpiper.tests.harness;

import java.util.LinkedHashMap;
import java.util.Map;

/// One answer of `/metrics` as text for Prometheus: values by name and labels, as they are written.
public record Scrape(String text, Map<String, Double> values, Map<String, String> types) {

  public static Scrape of(AgentProcess agent) {
    try (HttpConnection connection = agent.http()) {
      HttpConnection.Reply reply =
          connection.send("GET", "/metrics", Map.of("Accept", "text/plain")).reply();
      if (reply.status() != 200) {
        throw new AssertionError("/metrics answered " + reply.status());
      }
      return parse(reply.text());
    }
  }

  static Scrape parse(String text) {
    Map<String, Double> values = new LinkedHashMap<>();
    Map<String, String> types = new LinkedHashMap<>();
    for (String line : text.split("\n", -1)) {
      if (line.startsWith("# TYPE ")) {
        String[] parts = line.split(" ", -1);
        types.put(parts[2], parts[3]);
      } else if (!line.startsWith("#") && !line.isEmpty()) {
        int blank = line.lastIndexOf(' ');
        if (values.put(line.substring(0, blank), Double.valueOf(line.substring(blank + 1)))
            != null) {
          throw new AssertionError("twice: " + line);
        }
      }
    }
    return new Scrape(text, values, types);
  }

  /// The value of a sample such as `sandpiper_processes_running` or `x_total{a="b"}`; 0 when it is not there.
  public double value(String sample) {
    return values.getOrDefault(sample, 0.0);
  }

  /// By how much a sample has grown since another scrape.
  public double since(Scrape earlier, String sample) {
    return value(sample) - earlier.value(sample);
  }
}
