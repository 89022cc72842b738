package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.Position;
import dev.sandpiper.agent.output.StreamName;
import java.util.Map;
import java.util.Set;

/// Where the last lines of a log begin.
///
/// @param from a place before them
/// @param skip so many lines come before the first of them
/// @param ends up to here there are so many of them
record LastLines(LinePosition from, long skip, Map<StreamName, Long> ends) {
  /// Looks for them. Reads the log: not for event loops.
  ///
  /// What has no line end yet is no line, and what was printed behind the end of a process is none to a follower; the log
  /// counts both. So more lines are asked for than are wanted, then counted, and those too many are skipped.
  ///
  /// @param upToEnd whether lines behind the end of the process do not count
  static LastLines find(
      OutputLog log,
      Set<StreamName> streams,
      long lines,
      boolean upToEnd,
      LineReader.Buffer buffer) {
    Map<StreamName, Long> ends = LineReader.ends(log);
    long asked = lines > Long.MAX_VALUE / 4 ? lines : lines + streams.size();
    while (true) {
      LinePosition from = position(log, streams, asked);
      Count count = new Count();
      try (LineReader reader = new LineReader(log, streams, from).limit(ends)) {
        while (goesOn(reader, reader.read(buffer, count), upToEnd)) {
          // Counts on.
        }
      }
      boolean all =
          streams.stream().allMatch(stream -> from.line(stream) <= log.startOffset(stream));
      if (count.lines >= lines || all) {
        return new LastLines(from, Math.max(0, count.lines - lines), ends);
      }
      asked *= 2;
    }
  }

  private static boolean goesOn(LineReader reader, LineReader.Stop stop, boolean upToEnd) {
    if (stop == LineReader.Stop.END && !upToEnd) {
      reader.passEnd();
      return true;
    }
    return stop == LineReader.Stop.FULL;
  }

  private static LinePosition position(OutputLog log, Set<StreamName> streams, long lines) {
    Position.Offsets offsets = log.positionOfLastLines(lines, streams);
    LinePosition position = LinePosition.beginning(streams);
    for (StreamName stream : streams) {
      // Text without a line end counts where the process ends, however long ago it was printed.
      long last = offset(log.positionOfLastLines(1, Set.of(stream)), stream);
      position.put(stream, Math.min(offset(offsets, stream), last), 0);
    }
    return position;
  }

  private static long offset(Position.Offsets offsets, StreamName stream) {
    return switch (stream) {
      case STDOUT -> offsets.stdout();
      case STDERR -> offsets.stderr();
      case PTY -> offsets.pty();
    };
  }

  private static final class Count implements LineReader.Sink {
    private long lines;

    @Override
    public boolean line(StreamName stream, byte[] bytes, int from, int to, long micros) {
      lines++;
      return true;
    }

    @Override
    public void gap(StreamName stream, long start, long end) {
      lines = 0; // what was counted may be gone as well
    }
  }
}
