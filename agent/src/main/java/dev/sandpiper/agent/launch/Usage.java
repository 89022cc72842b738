package dev.sandpiper.agent.launch;

/// What a process used in its life, with the children it waited for (getrusage(2)).
public record Usage(long userMicros, long systemMicros, long peakKib) {}
