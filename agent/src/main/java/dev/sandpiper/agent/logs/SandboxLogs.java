package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.logs.LogFailure.Reason;
import dev.sandpiper.agent.output.OutputStore;
import dev.sandpiper.agent.process.Archive;
import dev.sandpiper.agent.process.ProcessManager;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// The engine: opens readings of everything that is known of this sandbox, and gives them threads to work on.
///
/// Bound: [#MOST_READINGS] readings at once, followers included; one more is refused.
public final class SandboxLogs implements LogQueries, AutoCloseable {
  /// Each may hold half a MiB of blocks while it works, and nothing but its place while it waits.
  public static final int MOST_READINGS = 64;

  /// A cursor may be so far ahead of the clock, which may have been set back a little.
  private static final long TOLERATED_FUTURE_MICROS = 1_000_000;

  final InstantSource clock;
  final LoggedProcesses processes;
  final AgentLog agentLog;
  final LongSupplier settled;
  final int cut;
  final Turns turns = new Turns();
  private final AtomicInteger open = new AtomicInteger();
  private volatile boolean closed;

  /// @param arguments whether starts show the arguments of commands, which may be secrets
  public SandboxLogs(
      ProcessManager processes,
      ProcessNews news,
      AgentLog agentLog,
      boolean arguments,
      OutputStore store,
      InstantSource clock) {
    this(
        new KnownProcesses(processes, news, arguments),
        agentLog,
        clock,
        store::settledMicros,
        LogEntry.CERTAINLY_WHOLE_BYTES);
  }

  /// The logs of an agent that is gone.
  public static SandboxLogs of(Archive archive, AgentLog agentLog, InstantSource clock) {
    return new SandboxLogs(
        new ArchivedProcesses(archive),
        agentLog,
        clock,
        archive::settledMicros,
        LogEntry.CERTAINLY_WHOLE_BYTES);
  }

  /// @param settled before which time all output logs are complete
  SandboxLogs(
      LoggedProcesses processes,
      AgentLog agentLog,
      InstantSource clock,
      LongSupplier settled,
      int cut) {
    this.settled = settled;
    this.processes = processes;
    this.agentLog = agentLog;
    this.clock = clock;
    this.cut = cut;
  }

  long now() {
    return ChronoUnit.MICROS.between(Instant.EPOCH, clock.instant());
  }

  /// Readings that are open now, followers included.
  public int openReadings() {
    return open.get();
  }

  @Override
  public LogReading open(LogQuery query) throws LogFailure {
    check(query);
    Matching matching = new Matching(query);
    @Nullable List<LoggedProcess> named = named(query);
    LogGap forgotten = checkCursor(query);
    if (closed || open.incrementAndGet() > MOST_READINGS) {
      if (!closed) {
        open.decrementAndGet();
      }
      throw new LogFailure(
          Reason.EXHAUSTED,
          closed
              ? "the agent is stopping"
              : "%d log queries are open already, followers included".formatted(MOST_READINGS));
    }
    return new Reading(this, query, matching, named, forgotten);
  }

  void closed(Reading reading) {
    open.decrementAndGet();
  }

  private static void check(LogQuery query) throws LogFailure {
    if (query.backward() && query.follow()) {
      throw invalid("follow", "entries to come cannot be read backwards");
    }
    if (query.backward() && query.tail().isPresent()) {
      throw invalid("tail", "is the last entries, oldest first; backwards, use limit");
    }
    if (query.tail().isPresent() && query.tail().getAsLong() <= 0) {
      throw invalid("tail", "must be at least 1, not " + query.tail().getAsLong());
    }
    if (query.limit().isPresent() && query.limit().getAsLong() <= 0) {
      throw invalid("limit", "must be at least 1, not " + query.limit().getAsLong());
    }
    if (query.startMicros().isPresent()
        && query.endMicros().isPresent()
        && query.startMicros().getAsLong() > query.endMicros().getAsLong()) {
      throw invalid("start", "must not lie behind end");
    }
    String type = query.eventType();
    if (type != null
        && !List.of(LogEntry.OUTPUT, LogEntry.START, LogEntry.END, LogEntry.AGENT).contains(type)) {
      throw invalid(
          "event_type",
          "'%s' is none of %s, %s, %s, %s"
              .formatted(type, LogEntry.START, LogEntry.OUTPUT, LogEntry.END, LogEntry.AGENT));
    }
  }

  private static LogFailure invalid(String field, String what) {
    return new LogFailure(Reason.INVALID, field + ": " + what);
  }

  /// The processes that the query names; null for all.
  private @Nullable List<LoggedProcess> named(LogQuery query) throws LogFailure {
    if (query.id() != null) {
      LoggedProcess process = processes.get(query.id());
      if (process == null) {
        throw new LogFailure(Reason.UNKNOWN_PROCESS, "there is no process " + query.id());
      }
      return fits(process, query) ? List.of(process) : List.of();
    }
    if (query.pid() == null) {
      return null;
    }
    List<LoggedProcess> had = new ArrayList<>();
    for (LoggedProcess process : processes.all()) {
      if (fits(process, query)) {
        had.add(process);
      }
    }
    LogPosition cursor = query.cursor();
    if (cursor != null) {
      had.removeIf(process -> !process.processId().equals(cursor.processId()));
    } else if (query.startMicros().isPresent() || query.endMicros().isPresent()) {
      long start = query.startMicros().orElse(Long.MIN_VALUE);
      long end = query.endMicros().orElse(Long.MAX_VALUE);
      had.removeIf(process -> process.startedMicros() >= end || process.lastMicros() < start);
    } else if (had.size() > 1) {
      return List.of(had.getLast()); // Ids sort by the time of the start.
    }
    return had;
  }

  static boolean fits(LoggedProcess process, LogQuery query) {
    return (query.pid() == null || query.pid() == process.pid())
        && (query.tag() == null || query.tag().equals(process.tag()));
  }

  /// Refuses a cursor that cannot be one of this query. Returns what its process left when that is not known any more.
  private @Nullable LogGap checkCursor(LogQuery query) throws LogFailure {
    LogPosition cursor = query.cursor();
    if (cursor == null) {
      return null;
    }
    if (cursor.processId().equals(LogPosition.AGENT)) {
      if (query.namesProcess()) {
        throw bad("it is of the agent's own lines, which this query does not ask for");
      }
      if (cursor.offset() > agentLog.endOffset()) {
        throw bad("it lies behind everything that the agent has said");
      }
      return future(cursor);
    }
    if (query.id() != null && !query.id().equals(cursor.processId())) {
      throw bad("it is of process " + cursor.processId() + ", not of " + query.id());
    }
    LoggedProcess process = processes.get(cursor.processId());
    if (process == null) {
      future(cursor);
      return new LogGap(
          cursor,
          LogGap.Reason.FORGOTTEN,
          cursor.processId(),
          0,
          null,
          cursor.stream(),
          cursor.offset(),
          cursor.offset());
    }
    if (!fits(process, query)) {
      throw bad("it is of process " + cursor.processId() + ", which this query does not ask for");
    }
    if (cursor.stream() != null
        && (!process.log().streams().contains(cursor.stream())
            || cursor.offset() > process.log().endOffset(cursor.stream()))) {
      throw bad(
          "process %s has not printed byte %d of %s"
              .formatted(cursor.processId(), cursor.offset(), cursor.stream().text()));
    }
    return cursor.timeMicros() <= Math.max(process.log().lastMicros(), process.startedMicros())
        ? null
        : future(cursor);
  }

  private @Nullable LogGap future(LogPosition cursor) throws LogFailure {
    if (cursor.timeMicros() > now() + TOLERATED_FUTURE_MICROS) {
      throw bad("it lies in the future");
    }
    return null;
  }

  private static LogFailure bad(String why) {
    return new LogFailure(Reason.BAD_CURSOR, "cursor: " + why);
  }

  /// Ends all readings that are at work; no new ones are opened.
  @Override
  public void close() {
    closed = true;
    turns.close();
  }
}
