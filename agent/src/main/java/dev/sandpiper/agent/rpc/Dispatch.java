package dev.sandpiper.agent.rpc;

/// Where the callbacks of a service run; always one after the other for one call.
public enum Dispatch {
  /// On the socket's event loop: the service must never block.
  EVENT_LOOP,
  /// On virtual threads: the service may block.
  BLOCKING
}
