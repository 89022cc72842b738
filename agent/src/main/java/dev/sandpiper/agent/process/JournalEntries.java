package dev.sandpiper.agent.process;

import dev.sandpiper.agent.journal.Bytes;
import dev.sandpiper.agent.journal.JournalEntry;
import dev.sandpiper.agent.launch.Exit;
import dev.sandpiper.agent.launch.ProcessIdentity;
import dev.sandpiper.agent.output.StreamName;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/// From the lives of processes to journal entries.
final class JournalEntries {
  private JournalEntries() {}

  static JournalEntry started(ManagedProcess process, String cwd) {
    StartSpec spec = process.spec();
    ProcessIdentity identity = process.child().identity();
    return new JournalEntry.Started(
        process.processId(),
        identity.pid(),
        identity.startTicks(),
        identity.bootId(),
        spec.cmd(),
        spec.args(),
        cwd,
        process.userName(),
        spec.tag().orElse(null),
        process.terminal(),
        spec.timeLimit().map(Duration::toMillis).orElse(0L),
        micros(process.startedAt()),
        process.child().facts());
  }

  static JournalEntry ended(ManagedProcess process, ProcessEnd end) {
    Map<String, Long> bytes = HashMap.newHashMap(2);
    for (StreamName stream : process.log().streams()) {
      bytes.put(stream.text(), end.bytes(stream));
    }
    JournalEntry.EndKind kind =
        switch (end.exit()) {
          case Exit.Exited _ -> JournalEntry.EndKind.EXITED;
          case Exit.Signaled _ -> JournalEntry.EndKind.SIGNALED;
          case Exit.Lost _ -> JournalEntry.EndKind.LOST;
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
        Bytes.copyOf(process.log().smallIndex()));
  }

  private static long micros(Instant instant) {
    return ChronoUnit.MICROS.between(Instant.EPOCH, instant);
  }
}
