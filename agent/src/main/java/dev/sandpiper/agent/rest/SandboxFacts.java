package dev.sandpiper.agent.rest;

import java.time.Instant;
import java.util.Optional;

/// What the agent can say of the sandbox around it.
///
/// @param id by which control planes and E2B's clients know it; empty where nobody has told it
/// @param templateId what it was made of; empty where nobody has told it
/// @param startedAt since when the agent runs
public record SandboxFacts(Optional<String> id, String templateId, Instant startedAt) {}
