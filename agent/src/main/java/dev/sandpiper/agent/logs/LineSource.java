package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.logs.LogPosition.Rank;
import dev.sandpiper.agent.output.LogView;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.output.StreamTimes;
import dev.sandpiper.agent.record.Utf8;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The lines of one stream of one process that match, oldest or newest first.
///
/// Lines are those of the records: they end at `\n`, one `\r` before it goes too, blank ones count; the end of the process
/// ends a line that has not ended, and a `\n` alone that follows it is no line. What is not UTF-8 becomes U+FFFD.
///
/// Where a long line is cut follows from the bytes around the place alone, so that whoever comes there from either side, or
/// begins in the middle, cuts alike: at each multiple of the *cut* (16 KiB) in the stream that lies at least a cut behind the
/// line's beginning, moved to the beginning of the character there, provided that text follows.
///
/// The time of a line is that of the byte that *decided* it: its `\n`; for a part, the byte that shows that the line goes on;
/// for a line that the end of the process ended, that end. Then times never decrease along the stream, and a line is
/// known as soon as its time has come.
abstract class LineSource extends Source {
  private static final byte[] NOTHING = {};

  /// A character that lies across the place of a cut begins at most so many bytes before.
  private static final int BEFORE = Utf8.MAX_CHARACTER_BYTES - 1;

  /// A part is decided at most so many bytes behind its end: from there to the place of the cut, and the two behind it.
  static final int DECIDED_WITHIN = BEFORE + 3;

  final LoggedProcess process;
  final StreamName stream;
  final OutputLog log;
  final LogView view;
  final StreamTimes times;
  final Range range;
  final int cut;
  private final Matching matching;

  /// The cursor's place when it lies in this stream: then offsets decide what lies behind it, and no times.
  final @Nullable LogPosition own;

  // What there is, as it was looked at last.
  long end;
  long mark;
  private long markMicros;

  /// No byte more will come, and where the process ended is known.
  boolean complete;

  // Bytes of the stream from `base` on.
  byte[] buffer = NOTHING;
  long base;
  int length;

  // The head.
  private int lineFrom;
  private int lineTo;
  private boolean continued;
  private boolean continues;
  private @Nullable String message;
  private long gapStart;

  /// @param bound the end of the range that a cursor may have given
  LineSource(
      Group group,
      StreamName stream,
      Matching matching,
      Range range,
      @Nullable LogPosition bound,
      int cut) {
    this.process = group.process;
    this.stream = stream;
    this.log = process.log();
    this.view = group.view;
    this.times = view.times(stream);
    this.matching = matching;
    this.range = range;
    this.cut = cut;
    this.own =
        bound != null && bound.processId().equals(process.processId()) && bound.stream() == stream
            ? bound
            : null;
  }

  /// Looks at what there is. In this order: what was printed after the end of the process is in the log only when the end is
  /// known.
  final void look() {
    boolean drained = log.drained();
    end = log.endOffset(stream);
    LoggedProcess.Ended ended = process.ended();
    mark = ended == null ? Long.MAX_VALUE : ended.bytes(stream);
    markMicros = ended == null ? 0 : ended.micros();
    complete = drained && ended != null;
  }

  /// The beginning of the line or part that holds the byte before `offset`, or an earlier one: a place where cutting may begin.
  final long boundary(long offset, Work work) {
    long lowest = Math.max(log.startOffset(stream), offset >= mark ? mark : 0);
    if (offset <= lowest) {
      return offset;
    }
    long from = Math.max(lowest, offset - 2L * cut - BEFORE);
    byte[] bytes = read(from, (int) (offset - from), work);
    for (int i = bytes.length - 1; i >= 0; i--) {
      if (bytes[i] == '\n') {
        return from + i + 1;
      }
    }
    long place = floor(offset - BEFORE);
    return place - cut >= from ? from + character(bytes, (int) (place - from), bytes.length) : from;
  }

  /// The bytes that every match holds; null when there are none.
  final byte @Nullable [] needle() {
    return matching.needle();
  }

  /// Bytes for a look in passing; fewer where retention is faster.
  final byte[] read(long from, int count, Work work) {
    byte[] bytes = new byte[count];
    int done = 0;
    while (done < count) {
      ByteBuffer direct = work.direct.clear();
      direct.limit(Math.min(direct.capacity(), count - done));
      int read = view.read(stream, from + done, direct);
      if (read <= 0) {
        break;
      }
      direct.flip().get(bytes, done, read);
      done += read;
    }
    work.did(done);
    return bytes;
  }

  final long floor(long offset) {
    return offset - offset % cut;
  }

  /// The first place at which the line or part that begins at `from` may be cut.
  final long cutAfter(long from) {
    return floor(from + 2L * cut - 1);
  }

  /// Where the character that lies across index `place` begins; `place` when none does.
  static int character(byte[] bytes, int place, int to) {
    for (int i = place - 1; i >= Math.max(0, place - BEFORE); i--) {
      if ((bytes[i] & 0xc0) != 0x80) {
        int step = Utf8.step(bytes, i, to);
        return i + step > place ? i : place;
      }
    }
    return place;
  }

  /// Whether the line in the buffer is one to tell; then it is the head.
  ///
  /// @param decided offset of the byte that decided it; [#mark] when the end of the process did
  /// @return null when it is not, [Source.State#READY] or, when it lies outside of the range on its far side, `DONE`
  final @Nullable State line(
      long from, long to, long decided, boolean isContinued, boolean goesOn, boolean forward)
      throws LogFailure {
    lineFrom = (int) (from - base);
    lineTo = (int) (to - base);
    byte[] needle = matching.needle();
    if (needle != null && Matching.indexOf(buffer, lineFrom, lineTo, needle) < 0) {
      return null;
    }
    LogPosition position = position(Rank.OUTPUT, from, decided);
    State outside = outside(position, forward);
    if (outside != State.READY) {
      return outside == State.EMPTY ? null : outside;
    }
    message = null;
    if (!matching.needleDecides()) {
      String text = text();
      if (!matching.matches(text, position)) {
        return null;
      }
      message = text;
    }
    continued = isContinued;
    continues = goesOn;
    gapStart = -1;
    return found(position);
  }

  /// Bytes that are gone, from `from` on to `to`, where what is kept begins.
  final @Nullable State gap(long from, long to, boolean forward) {
    LogPosition position = position(Rank.GAP, to, to);
    gapStart = from;
    if (own == null) {
      State outside = outside(position, forward);
      if (outside != State.READY) {
        return outside == State.EMPTY ? null : outside;
      }
    }
    return found(position);
  }

  /// `READY` when inside, `EMPTY` when not yet, `DONE` when nothing behind it is inside.
  private State outside(LogPosition position, boolean forward) {
    boolean below;
    boolean above;
    if (own != null && own.rank() == Rank.GAP) {
      below = forward && position.offset() < own.offset();
      above = false;
    } else if (own != null && forward) {
      below =
          range.fromIncluded()
              ? position.offset() < own.offset()
              : position.offset() <= own.offset();
      above = range.isAbove(position);
    } else if (own != null) {
      above = position.offset() >= own.offset();
      below = range.isBelow(position);
    } else {
      below = range.isBelow(position);
      above = range.isAbove(position);
    }
    if (!below && !above) {
      return State.READY;
    }
    return below == forward ? State.EMPTY : State.DONE;
  }

  private LogPosition position(Rank rank, long offset, long decided) {
    boolean byEnd = offset < mark && decided == mark;
    long micros;
    long order;
    if (byEnd) {
      times.locate(mark - 1);
      micros = times.micros();
      order = times.order();
    } else if (decided >= end) {
      micros = log.lastMicros();
      order = Long.MAX_VALUE;
    } else {
      times.locate(decided);
      micros = times.micros();
      order = times.order();
    }
    if (decided >= mark) {
      micros = Math.max(micros, markMicros);
    }
    return new LogPosition(
        Math.max(micros, process.startedMicros()),
        process.processId(),
        rank,
        order,
        stream,
        offset);
  }

  private String text() {
    return new String(buffer, lineFrom, lineTo - lineFrom, StandardCharsets.UTF_8);
  }

  @Override
  final LogItem make() {
    if (gapStart >= 0) {
      return new LogGap(
          head(),
          LogGap.Reason.REMOVED,
          process.processId(),
          process.pid(),
          process.tag(),
          stream,
          gapStart,
          head().offset());
    }
    String text = message;
    return new LogEntry(
        head(),
        LogEntry.OUTPUT_LEVEL,
        LogEntry.OUTPUT,
        "process",
        text == null ? text() : text,
        process.processId(),
        process.pid(),
        process.tag(),
        stream,
        head().offset(),
        continued,
        continues,
        Map.of());
  }

  /// Room for `bytes` more behind or before what is kept.
  final void reserve(int bytes) {
    if (buffer.length < bytes) {
      byte[] larger = new byte[bytes];
      System.arraycopy(buffer, 0, larger, 0, length);
      buffer = larger;
    }
  }

  /// Gives the bytes back; they are read again when they are needed again.
  @Override
  void idle() {
    buffer = NOTHING;
    length = 0;
    times.release();
  }
}
