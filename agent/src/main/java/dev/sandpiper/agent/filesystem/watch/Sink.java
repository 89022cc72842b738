package dev.sandpiper.agent.filesystem.watch;

/// Where the events of one watch go. Called on one thread at a time.
interface Sink {
  /// One more event.
  void event(WatchEvent event);

  /// True once nobody wants any more: the watch stops at the next chance.
  boolean closed();
}
