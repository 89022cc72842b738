package dev.sandpiper.agent.filesystem.watch;

import dev.sandpiper.agent.accounts.User;

/// What to watch, and for whom.
///
/// @param path absolute, as the caller means it
/// @param recursive also all that is below
/// @param includeEntry whether events hold what was found under their names
/// @param allowNetworkMounts whether a network file system may be watched, which tells only of changes made from here
/// @param user whose rights decide what can be watched, where rights are enforced
public record WatchRequest(
    String path, boolean recursive, boolean includeEntry, boolean allowNetworkMounts, User user) {}
