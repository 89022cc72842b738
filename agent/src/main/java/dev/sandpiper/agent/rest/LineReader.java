package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.output.Cursor;
import dev.sandpiper.agent.output.Cursor.Step;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.Position;
import dev.sandpiper.agent.output.Promise;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.record.EmitterPosition.StreamPosition;
import dev.sandpiper.agent.record.LineSplitter;
import java.nio.ByteBuffer;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Reads what one process printed as lines, in the order in which they were completed.
///
/// The same bytes give the same lines wherever a reader begins or goes on. A line longer than [#MOST_LINE_BYTES] comes in
/// parts. Text behind the last line end is a line once the process has ended, or nobody holds the stream any more.
///
/// Never holds a command back: what retention removes before it is read is told as a gap. One thread at a time.
final class LineReader implements AutoCloseable {
  /// A line may wait for its end in memory, one for each stream.
  static final int MOST_LINE_BYTES = 256 * 1024;

  /// Takes what was read.
  interface Sink {
    /// A line, or a part of one, in `bytes[from, to)`, without its line end; valid during the call only. [LineReader#position]
    /// is behind it. Whether more may come in this turn.
    ///
    /// @param micros when the last byte of it was printed, in microseconds since 1970; 0 where that is not known
    boolean line(StreamName stream, byte[] bytes, int from, int to, long micros);

    /// These bytes are not there any more.
    void gap(StreamName stream, long start, long end);
  }

  /// Why reading has stopped.
  enum Stop {
    /// The sink has enough for this turn.
    FULL,
    /// There is nothing more now; a follower is woken.
    IDLE,
    /// The end of what was to be read.
    LIMIT,
    /// Here the process ended. [#passEnd] goes on behind.
    END,
    /// Nobody can print any more. The end of the process may still follow, and then a follower is woken.
    DRAINED
  }

  /// Where bytes pass through; several readers of one thread may share one.
  record Buffer(ByteBuffer direct, ByteBuffer heap) {
    private static final int BYTES = 32 * 1024;

    Buffer() {
      this(ByteBuffer.allocateDirect(BYTES), ByteBuffer.allocate(BYTES));
    }
  }

  private final LineSplitter.Held held = new LineSplitter.Held();
  private final Map<StreamName, LineSplitter> splitters = new EnumMap<>(StreamName.class);
  private final Map<StreamName, Long> times = new EnumMap<>(StreamName.class);
  private final Set<StreamName> wanted;
  private final Cursor cursor;
  private final LinePosition position;
  private final LinePosition from;
  private @Nullable Map<StreamName, Long> limits;
  private boolean goesOn = true;

  /// A reader of some of a log's streams.
  ///
  /// @throws IllegalArgumentException when `from` lies beyond the end of a stream
  LineReader(OutputLog log, Set<StreamName> wanted, LinePosition from) {
    this.wanted = wanted;
    this.from = from.copy();
    this.position = from.copy();
    this.cursor =
        log.cursor(
            new Position.Offsets(
                from.line(StreamName.STDOUT),
                from.line(StreamName.STDERR),
                from.line(StreamName.PTY)),
            Promise.BEST_EFFORT,
            wanted);
  }

  /// The ends of a log's streams now.
  static Map<StreamName, Long> ends(OutputLog log) {
    Map<StreamName, Long> ends = new EnumMap<>(StreamName.class);
    log.streams().forEach(stream -> ends.put(stream, log.endOffset(stream)));
    return ends;
  }

  /// Reads up to these offsets only; null: for ever.
  LineReader limit(@Nullable Map<StreamName, Long> offsets) {
    limits = offsets;
    return this;
  }

  /// Called when a reader that has stopped at [Stop#IDLE] may go on. Before the first [#read].
  LineReader onWake(Runnable wake) {
    cursor.onWake(wake);
    return this;
  }

  /// Behind what was delivered.
  LinePosition position() {
    return position;
  }

  /// Goes on behind the end of the process, where what it left running may have printed more.
  void passEnd() {
    cursor.skipMark();
  }

  @Override
  public void close() {
    cursor.close();
    splitters.values().forEach(LineSplitter::release);
  }

  /// Delivers lines until there is a reason to stop.
  Stop read(Buffer buffer, Sink sink) {
    while (true) {
      switch (cursor.peek(buffer.heap().capacity())) {
        case Step.Data data -> {
          int length = length(data);
          if (length == 0) {
            return Stop.LIMIT;
          }
          if (!feed(data, length, buffer, sink)) {
            return Stop.FULL;
          }
        }
        case Step.Gap(var stream, long start, long end) -> {
          endLine(stream, start, false, sink);
          position.put(stream, end, 0);
          from.put(stream, end, 0);
          sink.gap(stream, start, end);
          cursor.skipGap();
        }
        case Step.Idle _ -> {
          return Stop.IDLE;
        }
        case Step.Mark _ -> {
          endLines(sink);
          return Stop.END;
        }
        case Step.Drained _ -> {
          goesOn = false;
          endLines(sink);
          return Stop.DRAINED;
        }
        case Step.Stalled stalled ->
            throw new IllegalStateException("a reader without promise was ended: " + stalled);
      }
    }
  }

  /// How much of it is to be read.
  private int length(Step.Data data) {
    Long limit = limits == null ? null : limits.get(data.stream());
    return limit == null ? data.length() : Math.clamp(limit - data.offset(), 0, data.length());
  }

  /// Cuts the data into lines. False when the sink has enough; the cursor is behind what was delivered.
  private boolean feed(Step.Data data, int length, Buffer buffer, Sink sink) {
    ByteBuffer direct = buffer.direct().clear().limit(length);
    cursor.read(direct);
    buffer.heap().clear().put(direct.flip());
    byte[] bytes = buffer.heap().array();
    LineSplitter splitter = splitter(data.stream());
    Lines lines = new Lines(data.stream(), data.timeMicros(), sink);
    times.put(data.stream(), data.timeMicros());
    int at = 0;
    while (at < length && !lines.enough) {
      int stop = at;
      while (stop < length && bytes[stop] != '\n') {
        stop++;
      }
      boolean ends = stop < length;
      stop += ends ? 1 : 0;
      lines.behind = data.offset() + stop;
      splitter.feed(bytes, at, stop, data.offset() + at, data.timeMicros(), lines);
      if (ends) {
        position.put(data.stream(), lines.behind, 0);
        if (from.get(data.stream()).parts() > 0) {
          from.put(data.stream(), 0, 0);
        }
      }
      at = stop;
    }
    cursor.advance(at);
    return !lines.enough;
  }

  private void endLines(Sink sink) {
    for (StreamName stream : wanted) {
      endLine(stream, cursor.offset(stream), goesOn, sink);
    }
  }

  private void endLine(StreamName stream, long behind, boolean streamGoesOn, Sink sink) {
    LineSplitter splitter = splitters.get(stream);
    if (splitter != null) {
      Lines lines = new Lines(stream, times.getOrDefault(stream, 0L), sink);
      lines.behind = behind;
      splitter.flush(streamGoesOn, lines);
      position.put(stream, behind, 0);
    }
  }

  private LineSplitter splitter(StreamName stream) {
    return splitters.computeIfAbsent(
        stream,
        name -> {
          long line = position.line(name);
          return new LineSplitter(
              MOST_LINE_BYTES, held, new StreamPosition(line, line, 0, 0, false));
        });
  }

  /// Takes lines from a splitter, but for the parts of the first one that were delivered before.
  private final class Lines implements LineSplitter.Sink {
    private final StreamName stream;
    private final long micros;
    private final Sink sink;
    private boolean enough;
    private long behind;

    Lines(StreamName stream, long micros, Sink sink) {
      this.stream = stream;
      this.micros = micros;
      this.sink = sink;
    }

    @Override
    public boolean line(byte[] bytes, int start, int end, long offset, long first, int part) {
      if (part > 0) {
        position.put(stream, offset, part);
      } else {
        position.put(stream, behind, 0);
      }
      LinePosition.Place begun = from.get(stream);
      if (part == 0 || offset != begun.line() || Math.abs(part) > begun.parts()) {
        enough |= !sink.line(stream, bytes, start, end, micros);
      }
      return true;
    }
  }
}
