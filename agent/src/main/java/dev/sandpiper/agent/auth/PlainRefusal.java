package dev.sandpiper.agent.auth;

import dev.sandpiper.agent.http.HttpExchange;

/// Answers in plain HTTP, whatever protocol the request is in: who is not let in is not understood either.
@FunctionalInterface
public interface PlainRefusal {
  void refuse(HttpExchange exchange, int status, String message);
}
