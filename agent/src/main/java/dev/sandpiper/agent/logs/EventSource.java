package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.logs.LogPosition.Rank;
import java.util.Map;

/// The start or the end of a process.
final class EventSource extends Source {
  private final LoggedProcess process;
  private final Rank rank;
  private final Matching matching;
  private final Range range;
  private boolean told;

  EventSource(LoggedProcess process, Rank rank, Matching matching, Range range) {
    this.process = process;
    this.rank = rank;
    this.matching = matching;
    this.range = range;
  }

  @Override
  State find(Work work) throws LogFailure {
    if (told) {
      return State.DONE;
    }
    long micros;
    if (rank == Rank.START) {
      micros = process.startedMicros();
    } else {
      LoggedProcess.Ended end = process.ended();
      if (end == null) {
        return State.EMPTY;
      }
      micros = Math.max(end.micros(), process.startedMicros());
    }
    told = true;
    LogPosition position = new LogPosition(micros, process.processId(), rank, 0, null, 0);
    return range.contains(position) && matching.matches(message(), position)
        ? found(position)
        : State.DONE;
  }

  private String message() {
    return "Process with pid %d %s"
        .formatted(process.pid(), rank == Rank.START ? "started" : "ended");
  }

  @Override
  LogItem make() {
    Map<String, String> fields = rank == Rank.START ? process.startFields() : process.endFields();
    return new LogEntry(
        head(),
        LogEntry.OUTPUT_LEVEL,
        rank == Rank.START ? LogEntry.START : LogEntry.END,
        "process",
        message(),
        process.processId(),
        process.pid(),
        process.tag(),
        null,
        0,
        false,
        false,
        fields);
  }
}
