package dev.sandpiper.agent.http;

/// Answers one request. Runs on the connection's event loop and must not block.
///
/// What it throws becomes a plain 500 (or, when the response has begun, a broken-off one) and one log line.
@FunctionalInterface
public interface HttpHandler {
  void handle(HttpExchange exchange);
}
