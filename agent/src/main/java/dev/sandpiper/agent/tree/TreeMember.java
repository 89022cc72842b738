package dev.sandpiper.agent.tree;

/// A process of a tree.
///
/// @param startTicks tells it from a later process with the same pid
/// @param name the kernel's name of it (`comm`, at most 15 bytes)
public record TreeMember(int pid, long startTicks, String name) {}
