package dev.sandpiper.agent.cli;

import java.util.Optional;

/// Which agent a command speaks to, and the access token that it shows it; absent where the agent asks for none.
record AgentOptions(AgentUrl url, Optional<String> token) {}
