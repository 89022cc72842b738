package dev.sandpiper.agent.process;

import dev.sandpiper.agent.journal.Bytes;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What never changes about a process: what is kept of it as long as it is known, 10,000 finished ones by default.
///
/// @param cwd absolute
/// @param fingerprint of the request, with a key; else empty
/// @param timeLimitMillis 0 for none
record Description(
    String processId,
    int pid,
    String cmd,
    List<String> args,
    String cwd,
    String user,
    @Nullable String tag,
    @Nullable String key,
    Bytes fingerprint,
    boolean terminal,
    boolean ephemeral,
    long timeLimitMillis,
    long startedAtMicros) {}
