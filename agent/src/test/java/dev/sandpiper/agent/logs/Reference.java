package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.logs.LogPosition.Rank;
import dev.sandpiper.agent.output.StreamName;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// All entries of some processes, by a full scan from the first byte to the last: what the engine must find, however it looks.
final class Reference {
  private Reference() {}

  /// Sorted.
  static List<LogEntry> entries(List<Sandbox.Printing> processes, int cut) {
    List<LogEntry> all = new ArrayList<>();
    for (Sandbox.Printing process : processes) {
      all.add(event(process, Rank.START, process.startedMicros()));
      LoggedProcess.Ended ended = process.ended();
      if (ended != null) {
        all.add(event(process, Rank.END, ended.micros()));
      }
      List<Sandbox.Piece> pieces = process.pieces();
      for (StreamName stream : process.log().streams()) {
        lines(process, stream, pieces, cut, all);
      }
    }
    all.sort(Comparator.comparing(LogEntry::position));
    return all;
  }

  private static LogEntry event(Sandbox.Printing process, Rank rank, long micros) {
    boolean start = rank == Rank.START;
    return new LogEntry(
        new LogPosition(micros, process.processId(), rank, 0, null, 0),
        LogLevel.INFO,
        start ? LogEntry.START : LogEntry.END,
        "process",
        "Process with pid " + process.pid() + (start ? " started" : " ended"),
        process.processId(),
        process.pid(),
        process.tag(),
        null,
        0,
        false,
        false,
        start ? process.startFields() : process.endFields());
  }

  private static void lines(
      Sandbox.Printing process,
      StreamName stream,
      List<Sandbox.Piece> pieces,
      int cut,
      List<LogEntry> all) {
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    TreeMap<Long, Sandbox.Piece> at = new TreeMap<>();
    for (Sandbox.Piece piece : pieces) {
      if (piece.stream() == stream) {
        at.put(piece.offset(), piece);
        printed.writeBytes(piece.bytes());
      }
    }
    byte[] bytes = printed.toByteArray();
    LoggedProcess.Ended ended = process.ended();
    int mark = ended == null ? Integer.MAX_VALUE : (int) ended.bytes(stream);
    long endedMicros = ended == null ? 0 : ended.micros();
    boolean complete = ended != null && process.log().drained();
    int from = 0;
    while (from < bytes.length) {
      int limit = from < mark ? Math.min(mark, bytes.length) : bytes.length;
      if (from == mark && mark > 0 && bytes[mark - 1] != '\n') {
        if (bytes[from] == '\n') {
          from++;
          mark = -1;
          continue;
        }
        if (bytes[from] == '\r' && from + 1 < bytes.length && bytes[from + 1] == '\n') {
          from += 2;
          mark = -1;
          continue;
        }
      }
      int newline = from;
      while (newline < limit && bytes[newline] != '\n') {
        newline++;
      }
      boolean terminated = newline < limit;
      int to = terminated && newline > from && bytes[newline - 1] == '\r' ? newline - 1 : newline;
      boolean known = terminated || limit == mark || complete;
      int part = from;
      boolean continued = false;
      while (true) {
        int place = (part + 2 * cut - 1) / cut * cut;
        boolean cuts = place < to && (known || place + 3 <= limit);
        if (!cuts) {
          break;
        }
        int begin = character(bytes, place, terminated ? newline : limit);
        int decided = Math.min(place + 2, terminated ? newline : limit - 1);
        all.add(
            entry(
                process,
                stream,
                bytes,
                part,
                begin,
                time(process, at, decided, ended, stream),
                continued,
                true));
        part = begin;
        continued = true;
      }
      if (!known) {
        return;
      }
      LogPosition position =
          terminated
              ? time(process, at, newline, ended, stream)
              : limit == mark
                  ? late(time(process, at, limit - 1, ended, stream), endedMicros)
                  : time(process, at, limit - 1, ended, stream);
      all.add(entry(process, stream, bytes, part, to, position, continued, false));
      from = terminated ? newline + 1 : limit;
    }
  }

  private static LogPosition late(LogPosition position, long micros) {
    return new LogPosition(
        Math.max(micros, position.timeMicros()),
        position.processId(),
        Rank.OUTPUT,
        position.order(),
        position.stream(),
        0);
  }

  private static LogPosition time(
      Sandbox.Printing process,
      NavigableMap<Long, Sandbox.Piece> at,
      long offset,
      LoggedProcess.@Nullable Ended ended,
      StreamName stream) {
    Sandbox.Piece piece = Objects.requireNonNull(at.floorEntry(offset)).getValue();
    long micros = Math.max(piece.micros(), process.startedMicros());
    if (ended != null && offset >= ended.bytes(stream)) {
      micros = Math.max(micros, ended.micros());
    }
    return new LogPosition(micros, process.processId(), Rank.OUTPUT, piece.order(), stream, 0);
  }

  private static int character(byte[] bytes, int place, int limit) {
    for (int length = 4; length >= 2; length--) {
      for (int begin = place - length + 1; begin < place; begin++) {
        if (begin >= 0 && begin + length <= limit) {
          String one = new String(bytes, begin, length, StandardCharsets.UTF_8);
          if (one.codePointCount(0, one.length()) == 1 && !one.contains("\uFFFD")) {
            return begin;
          }
        }
      }
    }
    return place;
  }

  private static LogEntry entry(
      Sandbox.Printing process,
      StreamName stream,
      byte[] bytes,
      int from,
      int to,
      LogPosition time,
      boolean continued,
      boolean continues) {
    return new LogEntry(
        new LogPosition(
            time.timeMicros(), time.processId(), Rank.OUTPUT, time.order(), stream, from),
        LogLevel.INFO,
        LogEntry.OUTPUT,
        "process",
        new String(bytes, from, to - from, StandardCharsets.UTF_8),
        process.processId(),
        process.pid(),
        process.tag(),
        stream,
        from,
        continued,
        continues,
        java.util.Map.of());
  }
}
