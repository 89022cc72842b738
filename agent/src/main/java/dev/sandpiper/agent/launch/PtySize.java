package dev.sandpiper.agent.launch;

/// The size of a terminal in characters. The kernel keeps 16 bits of each; 0 × 0 is "unknown" and allowed.
public record PtySize(int columns, int rows) {}
