package dev.sandpiper.agent.record;

import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/// What `process_start` says of a process, and what all of its records carry.
///
/// `processId` is ours and never used again; `command` is the command line as the caller gave it, never its
/// environment or input; `timeLimit` is the caller's, if there is one.
public record ProcessFacts(
    String processId,
    int pid,
    @Nullable String tag,
    String command,
    String user,
    @Nullable Duration timeLimit,
    Instant startedAt) {
  public ProcessFacts {
    if (processId.isEmpty() || pid < 0) {
      throw new IllegalArgumentException(
          "a process needs an id and a pid, or 0 where nobody knows it, not '"
              + processId
              + "' and "
              + pid);
    }
  }
}
