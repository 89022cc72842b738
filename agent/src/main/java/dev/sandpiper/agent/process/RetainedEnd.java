package dev.sandpiper.agent.process;

import java.util.Optional;

/// An end kept for callers that connect late.
///
/// @param processId our id of the process
/// @param pid its kernel id
/// @param tag the caller's name for it
/// @param end how it ended
public record RetainedEnd(String processId, int pid, Optional<String> tag, ProcessEnd end) {}
