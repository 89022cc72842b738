package dev.sandpiper.agent.http;

import dev.sandpiper.agent.telemetry.MetricsText;
import java.util.List;

/// The numbers of requests. A class of statuses appears with its first answer.
final class HttpMetrics {
  private HttpMetrics() {}

  static void write(List<RequestCounts> routes, MetricsText text) {
    text.counter(
        "sandpiper_http_requests_total",
        "Requests by route and class of status; aborted ones got no answer, rpc takes what no other route does.");
    for (RequestCounts route : routes) {
      for (int i = 0; i < RequestCounts.CLASSES; i++) {
        long count = route.get(i);
        if (count > 0) {
          text.sample(count, "route", route.route(), "status", i == 0 ? "aborted" : i + "xx");
        }
      }
    }
    text.gauge("sandpiper_http_requests_in_flight", "Requests that are not answered to the end.");
    for (RequestCounts route : routes) {
      text.sample(route.inFlight(), "route", route.route());
    }
  }
}
