package dev.sandpiper.agent.process;

import dev.sandpiper.agent.journal.Bytes;
import dev.sandpiper.agent.journal.JournalEntry;
import dev.sandpiper.agent.journal.JournalEntry.EndKind;
import dev.sandpiper.agent.journal.JournalEntry.Used;
import dev.sandpiper.agent.launch.Child;
import dev.sandpiper.agent.launch.Exit;
import dev.sandpiper.agent.launch.ProcessIdentity;
import dev.sandpiper.agent.launch.PtySize;
import dev.sandpiper.agent.launch.Stdio;
import dev.sandpiper.agent.launch.Usage;
import dev.sandpiper.agent.output.StreamName;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// From the lives of processes to journal entries, and back.
final class JournalEntries {
  private static final PtySize UNKNOWN_SIZE = new PtySize(0, 0);

  private JournalEntries() {}

  static JournalEntry started(Description process, Child child) {
    ProcessIdentity identity = child.identity();
    return new JournalEntry.Started(
        process.processId(),
        identity.pid(),
        identity.startTicks(),
        identity.bootId(),
        process.cmd(),
        process.args(),
        process.cwd(),
        process.user(),
        process.tag(),
        process.terminal(),
        process.timeLimitMillis(),
        process.startedAtMicros(),
        child.facts(),
        process.key(),
        process.fingerprint(),
        process.ephemeral());
  }

  /// A start with a key, before the spawn.
  ///
  /// @param facts what they will be
  static JournalEntry intent(Description process, Map<String, String> facts) {
    return new JournalEntry.Started(
        process.processId(),
        0,
        0,
        ProcessIdentity.thisBoot(),
        process.cmd(),
        process.args(),
        process.cwd(),
        process.user(),
        process.tag(),
        process.terminal(),
        process.timeLimitMillis(),
        process.startedAtMicros(),
        facts,
        process.key(),
        process.fingerprint(),
        process.ephemeral());
  }

  static Description description(JournalEntry.Started started) {
    return new Description(
        started.processId(),
        started.pid(),
        started.cmd(),
        started.args(),
        started.cwd(),
        started.user(),
        started.tag(),
        started.key(),
        started.fingerprint(),
        started.pty(),
        started.ephemeral(),
        started.timeLimitMillis(),
        started.startedAtMicros());
  }

  /// What was asked for, as far as the journal tells: without the environment, and without a terminal's size of then.
  static StartSpec spec(JournalEntry.Started started, boolean stdin) {
    return new StartSpec(
        started.cmd(),
        started.args(),
        Map.of(),
        Optional.of(started.cwd()),
        Optional.of(started.user()),
        Optional.ofNullable(started.tag()),
        started.pty() ? new Stdio.Terminal(UNKNOWN_SIZE) : new Stdio.Pipes(stdin),
        started.timeLimitMillis() == 0
            ? Optional.empty()
            : Optional.of(Duration.ofMillis(started.timeLimitMillis())),
        Optional.ofNullable(started.key()),
        started.ephemeral());
  }

  static JournalEntry ended(ManagedProcess process, ProcessEnd end) {
    Map<String, Long> bytes = HashMap.newHashMap(2);
    for (StreamName stream : process.log().streams()) {
      bytes.put(stream.text(), end.bytes(stream));
    }
    EndKind kind =
        switch (end.exit()) {
          case Exit.Exited _ -> EndKind.EXITED;
          case Exit.Signaled _ -> EndKind.SIGNALED;
          case Exit.Lost _ -> EndKind.LOST;
        };
    int code =
        switch (end.exit()) {
          case Exit.Exited(int exitCode) -> exitCode;
          case Exit.Signaled(int signal, boolean _) -> signal;
          case Exit.Lost _ -> 0;
        };
    return new JournalEntry.Ended(
        process.processId(),
        kind,
        code,
        end.exit() instanceof Exit.Signaled(int _, boolean coreDumped) && coreDumped,
        end.cause().name().toLowerCase(Locale.ROOT),
        micros(end.at()),
        bytes,
        Bytes.copyOf(process.log().smallIndex()),
        used(end.usage()),
        end.exit() instanceof Exit.Lost(String why) ? why : null,
        process.inputOffset());
  }

  /// The end of a process of which nothing is known but that it is over.
  static JournalEntry.Ended lost(String processId, String why, Instant at) {
    return new JournalEntry.Ended(
        processId,
        EndKind.LOST,
        0,
        false,
        EndCause.LOST.name().toLowerCase(Locale.ROOT),
        micros(at),
        Map.of(),
        Bytes.EMPTY,
        null,
        why,
        0);
  }

  private static @Nullable Used used(@Nullable Usage usage) {
    return usage == null
        ? null
        : new Used(usage.userMicros(), usage.systemMicros(), usage.peakKib());
  }

  static ProcessEnd end(JournalEntry.Ended ended) {
    Map<StreamName, Long> bytes = streamBytes(ended);
    String lost = ended.lost();
    Exit exit =
        switch (ended.kind()) {
          case EXITED -> new Exit.Exited(ended.code());
          case SIGNALED -> new Exit.Signaled(ended.code(), ended.coreDumped());
          case LOST -> new Exit.Lost(lost == null ? "it was not learnt" : lost);
        };
    Used used = ended.used();
    return new ProcessEnd(
        exit,
        cause(ended.cause(), exit),
        instant(ended.endedAtMicros()),
        bytes.getOrDefault(StreamName.STDOUT, 0L),
        bytes.getOrDefault(StreamName.STDERR, 0L),
        bytes.getOrDefault(StreamName.PTY, 0L),
        used == null ? null : new Usage(used.userMicros(), used.systemMicros(), used.peakKib()));
  }

  /// A word of a later version says no more than the exit does.
  private static EndCause cause(String word, Exit exit) {
    for (EndCause cause : EndCause.values()) {
      if (cause.name().equalsIgnoreCase(word)) {
        return cause;
      }
    }
    return exit instanceof Exit.Lost ? EndCause.LOST : EndCause.EXIT;
  }

  static Map<StreamName, Long> streamBytes(JournalEntry.Ended ended) {
    Map<StreamName, Long> bytes = new EnumMap<>(StreamName.class);
    for (StreamName stream : StreamName.values()) {
      Long count = ended.streamBytes().get(stream.text());
      if (count != null) {
        bytes.put(stream, count);
      }
    }
    return bytes;
  }

  static long micros(Instant instant) {
    return ChronoUnit.MICROS.between(Instant.EPOCH, instant);
  }

  static Instant instant(long micros) {
    return Instant.EPOCH.plus(micros, ChronoUnit.MICROS);
  }
}
