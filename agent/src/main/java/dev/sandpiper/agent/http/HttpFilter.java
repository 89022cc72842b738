package dev.sandpiper.agent.http;

/// Stands in front of every route: answers the exchange itself, or hands it on to `next`, once.
@FunctionalInterface
public interface HttpFilter {
  void filter(HttpExchange exchange, HttpHandler next);
}
