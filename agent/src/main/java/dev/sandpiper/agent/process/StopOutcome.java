package dev.sandpiper.agent.process;

import java.util.Optional;

/// How a stop went.
///
/// @param killed whether it took SIGKILL, because the grace was over
/// @param failure why a signal could not be sent, in words: then the process may still run; empty when it has ended
public record StopOutcome(boolean killed, Optional<String> failure) {}
