package dev.sandpiper.agent.tree;

/// A process that is still there.
///
/// @param why in words: what the kernel refused, what it waits in, or why it cannot be told whether it belongs
public record Survivor(TreeMember member, String why) {}
