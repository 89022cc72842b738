package dev.sandpiper.agent.auth;

/// Knows the system's users. Called on the event loop: must not block for long.
@FunctionalInterface
public interface UserLookup {
  /// Whether there is a user of exactly this name.
  boolean exists(String userName);
}
