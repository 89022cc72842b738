package dev.sandpiper.agent.journal;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// One fact in the life of a process. Times are microseconds since 1970.
public sealed interface JournalEntry {
  String processId();

  /// The command runs.
  ///
  /// @param pid the kernel's, or 0 for an intent: a start with a key that is about to happen; with `startTicks` (`/proc/PID/stat` field 22) and `bootId` it is an identity
  /// @param pty whether it runs on a terminal
  /// @param timeLimitMillis 0 for none
  /// @param facts what re-adoption needs and what a user may want to know, for example FIFO paths
  /// @param key the caller's key for this start, if it gave one
  /// @param fingerprint of the request, with a key; else empty
  /// @param ephemeral whether it is forgotten soon after its end
  record Started(
      String processId,
      int pid,
      long startTicks,
      String bootId,
      String cmd,
      List<String> args,
      String cwd,
      String user,
      @Nullable String tag,
      boolean pty,
      long timeLimitMillis,
      long startedAtMicros,
      Map<String, String> facts,
      @Nullable String key,
      Bytes fingerprint,
      boolean ephemeral)
      implements JournalEntry {
    public Started {
      args = List.copyOf(args);
      facts = Map.copyOf(facts);
    }

    /// Whether it has not been started yet.
    public boolean isIntent() {
      return pid == 0;
    }

    /// What an intent has become.
    public Started as(int nowPid, long nowStartTicks, String nowBootId) {
      return new Started(
          processId,
          nowPid,
          nowStartTicks,
          nowBootId,
          cmd,
          args,
          cwd,
          user,
          tag,
          pty,
          timeLimitMillis,
          startedAtMicros,
          facts,
          key,
          fingerprint,
          ephemeral);
    }

    /// The same process with other facts; the newest entry of a process counts.
    public Started with(Map<String, String> otherFacts) {
      return new Started(
          processId,
          pid,
          startTicks,
          bootId,
          cmd,
          args,
          cwd,
          user,
          tag,
          pty,
          timeLimitMillis,
          startedAtMicros,
          otherFacts,
          key,
          fingerprint,
          ephemeral);
    }
  }

  /// How a process ended.
  enum EndKind {
    EXITED,
    SIGNALED,
    /// The exit status could not be learned.
    LOST
  }

  /// What a process used.
  record Used(long userMicros, long systemMicros, long peakKib) {}

  /// The command is over.
  ///
  /// @param code exit code or signal number; 0 when lost
  /// @param cause why, in one word: `exit`, `signal`, `time_limit`, `agent_stop`, `lost`
  /// @param streamBytes bytes printed per stream by name
  /// @param index the output log's small index, or empty
  /// @param used null where the kernel did not say
  /// @param lost why the exit status is not known, in words; null when it is
  /// @param inputOffset how much input it has accepted
  record Ended(
      String processId,
      EndKind kind,
      int code,
      boolean coreDumped,
      String cause,
      long endedAtMicros,
      Map<String, Long> streamBytes,
      Bytes index,
      @Nullable Used used,
      @Nullable String lost,
      long inputOffset)
      implements JournalEntry {
    public Ended {
      streamBytes = Map.copyOf(streamBytes);
    }
  }

  /// Nothing is kept about it any more.
  record Deleted(String processId) implements JournalEntry {}

  /// How far the record emitter came with a process. The newest one counts. Of use is [#ALL_LEFT]: how far it came until
  /// then changes with every batch, and is kept elsewhere.
  ///
  /// @param offsets next offset per stream by name
  /// @param state the emitter's own counts, by name
  record EmitterPosition(String processId, Map<String, Long> offsets, Map<String, Long> state)
      implements JournalEntry {
    /// The name in `state` that says, with a value of 1, that all records of the process have left.
    public static final String ALL_LEFT = "all_left";

    /// That all records of a process have left.
    public static EmitterPosition allLeft(String processId) {
      return new EmitterPosition(processId, Map.of(), Map.of(ALL_LEFT, 1L));
    }

    public EmitterPosition {
      offsets = Map.copyOf(offsets);
      state = Map.copyOf(state);
    }
  }
}
