package dev.sandpiper.agent.process;

import dev.sandpiper.agent.accounts.User;
import java.util.List;

/// Accounts that need not exist.
final class TestUsers {
  static final User ALICE = new User("alice", 1000, 1000, List.of(1000), "/home/alice", "/bin/sh");

  private TestUsers() {}
}
