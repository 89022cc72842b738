package dev.sandpiper.agent.auth;

import dev.sandpiper.agent.http.HttpExchange;

/// Answers `unauthenticated` in the shape that the request's protocol has for errors.
@FunctionalInterface
public interface Refusal {
  void unauthenticated(HttpExchange exchange, String message);
}
