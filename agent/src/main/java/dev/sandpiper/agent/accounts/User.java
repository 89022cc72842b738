package dev.sandpiper.agent.accounts;

import java.util.List;

/// A user as `/etc/passwd` and `/etc/group` have it.
///
/// @param uid unsigned 32-bit value in an `int`, as are `gid` and `groups`
/// @param groups supplementary groups: the primary one first, then every group that names the user
public record User(String name, int uid, int gid, List<Integer> groups, String home, String shell) {
  public User {
    groups = List.copyOf(groups);
  }
}
