package dev.sandpiper.agent.record;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/// What `process_end` says: the values of the `end` event, and how much the process had printed by then.
///
/// `exited` is whether it returned a code itself; `status` is the human sentence (`exit status 2`); `error` is absent
/// when all went well.
public record EndFacts(
    int exitCode,
    boolean exited,
    String status,
    @Nullable String error,
    long stdoutBytes,
    long stderrBytes,
    long ptyBytes,
    Instant endedAt) {}
