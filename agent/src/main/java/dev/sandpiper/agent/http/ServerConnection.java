package dev.sandpiper.agent.http;

/// What the server can ask of a connection, whatever it speaks. On the connection's event loop.
interface ServerConnection {
  /// Takes no more requests; closes when the running ones have ended.
  void shutdown();
}
