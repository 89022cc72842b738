package dev.sandpiper.agent.record;

import dev.sandpiper.agent.output.Cursor;
import dev.sandpiper.agent.output.Cursor.Step;
import dev.sandpiper.agent.output.StreamName;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// The records of one process, from `process_start` to the last line that anything it left behind prints.
///
/// Owned by the record thread, except [#queued] and [#end]. While nothing happens it holds its names, its counts and
/// its cursor: no buffer.
///
/// A batch may leave whenever a record begins, and [#position] is asked for then. So whatever tells how far this process
/// has come changes only behind the call that made the record.
///
/// | At the cursor | What happens |
/// |---|---|
/// | data | lines into records, until a cap is reached; from then on the log is not read at all |
/// | gap | the waiting line ends there; `records_missed` |
/// | mark | waits until the end is known; waiting lines end; `process_end`; what follows is a background child's |
/// | drained | waiting lines end |
final class ProcessRecords {
  /// What a turn came to.
  enum Turn {
    MORE,
    WAIT,
    DONE
  }

  /// Set while this process waits for a turn, so that it waits only once.
  final AtomicBoolean queued = new AtomicBoolean();

  /// Where its position is kept, and whether that is behind; [RecordLedger]'s own.
  int slot = RecordFile.NO_SLOT;

  boolean touched;

  private final RecordEncoder.Subject subject;
  private final OutputCaps caps;
  private @Nullable ProcessFacts start; // until process_start has left
  private @Nullable Cursor cursor; // until drained, or a cap is reached; null for a terminal
  private @Nullable LineSplitter stdout;
  private @Nullable LineSplitter stderr;
  private final EmitterPosition resumed;
  private volatile @Nullable EndFacts end;
  private long seq;
  private boolean ended;
  private boolean told;

  ProcessRecords(ProcessFacts facts, @Nullable Cursor cursor, EmitterPosition from) {
    subject = new RecordEncoder.Subject(facts.processId(), facts.pid(), facts.tag());
    caps = new OutputCaps(from.capBytesLeft(), from.capRecordsLeft());
    start = from.started() ? null : facts;
    seq = from.seq();
    ended = from.ended();
    resumed = from;
    this.cursor = cursor;
    if (from.truncated()) {
      caps.reach();
      closeCursor();
    }
  }

  String processId() {
    return subject.processId();
  }

  /// Any thread.
  void end(EndFacts facts) {
    end = facts;
  }

  /// Goes on as far as the log goes, or for about `budget` bytes.
  Turn turn(RecordTurn shared, int budget) {
    var facts = start;
    if (facts != null) {
      shared.encoder().started(subject, facts);
      start = null;
      shared.touch(this);
      shared.startLeft(facts);
    }
    int left = budget;
    for (var reading = cursor; reading != null && left > 0; reading = cursor) {
      switch (reading.peek(shared.readBytes())) {
        case Step.Data data -> {
          int count = shared.read(reading, data.length());
          reading.advance(count);
          left -= count;
          if (data.stream() == StreamName.PTY) {
            throw new IllegalStateException("a terminal's output is not recorded: " + subject);
          }
          if (!feed(data, count, shared)) {
            closeCursor();
          }
        }
        case Step.Gap gap -> {
          miss(gap, shared);
          reading.skipGap();
        }
        case Step.Mark() -> {
          if (!ended && end == null) {
            return Turn.WAIT; // the turn after end()
          }
          endLines(true, shared);
          endProcess(shared);
          reading.skipMark();
        }
        case Step.Drained() -> {
          endLines(false, shared);
          if (!ended && end == null) {
            return Turn.WAIT; // its mark, or its end, follows
          }
          closeCursor();
        }
        case Step.Idle() -> {
          return Turn.WAIT;
        }
        case Step.Stalled stalled ->
            throw new IllegalStateException("a reader without promise was ended: " + stalled);
      }
    }
    if (cursor != null) {
      return Turn.MORE;
    }
    if (!ended && end != null) {
      endProcess(shared);
    }
    if (!ended) {
      return Turn.WAIT;
    }
    told = true;
    shared.touch(this);
    return Turn.DONE;
  }

  /// Whether nothing more will come.
  boolean told() {
    return told;
  }

  /// The output cannot be read; its end is still told.
  void fail(String why, RecordTurn shared) {
    closeCursor();
    shared.encoder().unreadable(subject, why, shared.now(), seq + 1);
    recorded(shared);
  }

  private void recorded(RecordTurn shared) {
    seq++;
    shared.touch(this);
  }

  /// Where it stands, behind the last record that was made; to be asked on the record thread.
  EmitterPosition position() {
    return new EmitterPosition(
        seq,
        caps.bytesLeft(),
        caps.recordsLeft(),
        caps.reached(),
        start == null,
        ended,
        stdout == null ? resumed.stdout() : stdout.position(),
        stderr == null ? resumed.stderr() : stderr.position());
  }

  private boolean feed(Step.Data data, int count, RecordTurn shared) {
    var stream = data.stream();
    // An index that was lost knows no times.
    long micros = data.timeMicros() > 0 ? data.timeMicros() : Timestamp.micros(shared.now());
    return splitter(stream, shared)
            .feed(shared.bytes(), 0, count, data.offset(), micros, sink(stream, shared))
        && relieve(stream, shared);
  }

  /// Too much waits for line ends in all processes together: what this one holds leaves early, in parts.
  private boolean relieve(StreamName stream, RecordTurn shared) {
    return !shared.holdsTooMuch() || splitter(stream, shared).flushEarly(sink(stream, shared));
  }

  private LineSplitter.Sink sink(StreamName stream, RecordTurn shared) {
    shared.encoder().select(subject);
    return (bytes, from, to, lineOffset, micros, part) ->
        emit(stream, bytes, from, to, lineOffset, micros, part, shared);
  }

  /// One line or part into a record, as far as the caps allow. False once something had to be dropped.
  private boolean emit(
      StreamName stream,
      byte[] bytes,
      int from,
      int to,
      long lineOffset,
      long micros,
      int part,
      RecordTurn shared) {
    int fits = to;
    if (caps.recordsLeft() == 0) {
      fits = from;
    } else if ((long) (to - from) * Utf8.REPLACEMENT_BYTES > caps.bytesLeft()) {
      fits = from + shared.fit(bytes, from, to, caps.bytesLeft());
    }
    boolean whole = fits == to && caps.recordsLeft() > 0;
    if (whole || fits > from) {
      // A cut line is the last of its parts, as nothing more of it will come.
      int emitted = whole || part <= 0 ? part : -part;
      caps.take(
          shared.encoder().output(stream, bytes, from, fits, lineOffset, micros, emitted, seq + 1));
      recorded(shared);
      shared.counted(stream);
    }
    if (!whole) {
      caps.exhaust();
      shared.encoder().truncated(subject, stream, shared.now(), seq + 1);
      recorded(shared);
      caps.reach();
    }
    return whole;
  }

  private void miss(Step.Gap gap, RecordTurn shared) {
    var waiting = gap.stream() == StreamName.STDOUT ? stdout : stderr;
    if (waiting != null && !waiting.flush(false, sink(gap.stream(), shared))) {
      closeCursor();
      return;
    }
    shared.encoder().missed(subject, gap.stream(), gap.start(), gap.end(), shared.now(), seq + 1);
    recorded(shared);
    splitter(gap.stream(), shared).skip(gap.end());
  }

  private void endLines(boolean goesOn, RecordTurn shared) {
    if (!endLine(stdout, StreamName.STDOUT, goesOn, shared)
        || !endLine(stderr, StreamName.STDERR, goesOn, shared)) {
      closeCursor();
    }
  }

  private boolean endLine(
      @Nullable LineSplitter splitter, StreamName stream, boolean goesOn, RecordTurn shared) {
    return splitter == null || splitter.flush(goesOn, sink(stream, shared));
  }

  private void endProcess(RecordTurn shared) {
    var facts = end;
    if (facts != null && !ended) {
      shared.encoder().ended(subject, facts);
      ended = true;
      shared.touch(this);
    }
  }

  private LineSplitter splitter(StreamName stream, RecordTurn shared) {
    if (stream == StreamName.STDOUT) {
      if (stdout == null) {
        stdout = shared.splitter(resumed.stdout());
      }
      return stdout;
    }
    if (stderr == null) {
      stderr = shared.splitter(resumed.stderr());
    }
    return stderr;
  }

  private void closeCursor() {
    var reading = cursor;
    cursor = null;
    if (reading != null) {
      reading.close();
    }
    if (stdout != null) {
      stdout.release();
    }
    if (stderr != null) {
      stderr.release();
    }
  }
}
