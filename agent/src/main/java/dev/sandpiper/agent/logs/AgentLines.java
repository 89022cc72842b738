package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.logs.AgentLog.AgentLine;
import dev.sandpiper.agent.logs.LogPosition.Rank;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// The agent's own lines as a source, in either direction. Holds what there is of them, half a MiB at most, while it is read.
final class AgentLines extends Source {
  private static final byte[] NOTHING = {};

  /// Something was said since it was looked at.
  final AtomicBoolean woken = new AtomicBoolean();

  private final AgentLog log;
  private final Matching matching;
  private final Range range;
  private final boolean backward;
  private final boolean follow;

  private boolean begun;
  private boolean gapDue;
  private byte[] bytes = NOTHING;

  /// Offset of `bytes[0]`.
  private long base;

  private int from;

  /// Forwards: where the next line begins.
  private int next;

  /// Backwards: where the next line ends.
  private int to;

  private @Nullable AgentLine line;

  AgentLines(AgentLog log, Matching matching, Range range, boolean backward, boolean follow) {
    this.log = log;
    this.matching = matching;
    this.range = range;
    this.backward = backward;
    this.follow = follow;
  }

  @Override
  State find(Work work) throws LogFailure {
    if (!begun) {
      begun = true;
      load(0);
      to = bytes.length;
    }
    while (true) {
      if (!backward && next >= bytes.length && follow) {
        load(base + next);
        next = 0;
      }
      if (gapDue && (!backward || to == 0)) {
        gapDue = false;
        LogPosition position = gapPosition();
        if (range.contains(position)) {
          line = null;
          return found(position);
        }
      }
      if (backward ? to == 0 : next >= bytes.length) {
        return follow ? State.EMPTY : State.DONE;
      }
      AgentLine said = backward ? previous() : next();
      if (said == null) {
        continue; // Damaged: no line of ours.
      }
      LogPosition position =
          new LogPosition(said.micros(), LogPosition.AGENT, Rank.OUTPUT, 0, null, base + from);
      if (range.contains(position)
          && matching.isSerious(level(said))
          && matching.matches(said.message(), position)) {
        line = said;
        return found(position);
      }
      if (backward ? range.isBelow(position) : range.isAbove(position)) {
        return State.DONE;
      }
    }
  }

  private void load(long offset) throws LogFailure {
    try {
      AgentLog.Bytes read = log.read(offset);
      base = read.start();
      bytes = read.bytes();
      gapDue = base > offset;
    } catch (IOException failure) {
      throw new LogFailure(
          LogFailure.Reason.UNREADABLE, "the agent's own log cannot be read: " + failure);
    }
  }

  private LogPosition gapPosition() {
    AgentLine first = null;
    for (int i = 0; i < bytes.length && first == null; i++) {
      if (bytes[i] == '\n') {
        first = AgentLine.parse(bytes, 0, i);
        break;
      }
    }
    return new LogPosition(
        first == null ? 0 : first.micros(), LogPosition.AGENT, Rank.GAP, 0, null, base);
  }

  private @Nullable AgentLine next() {
    from = next;
    int end = from;
    while (end < bytes.length && bytes[end] != '\n') {
      end++;
    }
    next = end + 1;
    return AgentLine.parse(bytes, from, end);
  }

  private @Nullable AgentLine previous() {
    int end = to - 1;
    int begin = end;
    while (begin > 0 && bytes[begin - 1] != '\n') {
      begin--;
    }
    from = begin;
    to = begin;
    return AgentLine.parse(bytes, begin, end);
  }

  private static LogLevel level(AgentLine line) {
    return switch (line.level()) {
      case "ERROR" -> LogLevel.ERROR;
      case "WARN" -> LogLevel.WARN;
      case "DEBUG", "TRACE" -> LogLevel.DEBUG;
      default -> LogLevel.INFO;
    };
  }

  @Override
  LogItem make() {
    AgentLine said = line;
    if (said == null) {
      return new LogGap(head(), LogGap.Reason.REMOVED, null, 0, null, null, 0, head().offset());
    }
    return new LogEntry(
        head(),
        level(said),
        LogEntry.AGENT,
        said.logger(),
        said.message(),
        null,
        0,
        null,
        null,
        0,
        false,
        false,
        said.stackTrace().isEmpty() ? Map.of() : Map.of("stack_trace", said.stackTrace()));
  }

  @Override
  void idle() {
    if (follow) {
      base += next;
      next = 0;
    }
    bytes = NOTHING;
    to = 0;
  }
}
