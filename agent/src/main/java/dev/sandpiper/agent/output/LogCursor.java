package dev.sandpiper.agent.output;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.output.Cursor.Step.Data;
import dev.sandpiper.agent.output.Cursor.Step.Drained;
import dev.sandpiper.agent.output.Cursor.Step.Gap;
import dev.sandpiper.agent.output.Cursor.Step.Idle;
import dev.sandpiper.agent.output.Cursor.Step.Mark;
import dev.sandpiper.agent.output.Cursor.Step.Stalled;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// A reader's place: an offset per stream, and the number of the index entry that it is at.
///
/// To find what comes next it walks the index from that entry: an entry whose stream it has read up to the entry's end is done;
/// the first other one names the stream to go on with, and the limit up to which. Below the floor of the index it takes stream
/// after stream. It never walks over the last entry, which may still grow.
///
/// A stream that the reader does not want is one that it has read for ever: its place there is [#UNWANTED].
///
/// Its place is guarded by the log's monitor; the files it is inside are the reader's own.
final class LogCursor implements Cursor, Readers.Waiting {
  static final long UNWANTED = Long.MAX_VALUE;

  private static final Idle IDLE = new Idle();
  private static final Mark MARK = new Mark();
  private static final Drained DRAINED = new Drained();

  private final OutputLog log;
  private final Promise promise;
  private volatile @Nullable Runnable wake;

  // Guarded by the log's monitor.
  private final long[] position;
  private long order;
  private boolean armed;
  private boolean markPassed;
  private boolean closed;
  private boolean joined;

  /// It does not get the rest, as bytes of this stream had to go.
  private @Nullable StreamName stalled;

  private final Progress progress = new Progress();

  // The reader's own.
  private @Nullable Step current;

  @GuardedBy("inside")
  private final @Nullable Segment[] inside = new @Nullable Segment[StreamName.COUNT];

  @GuardedBy("inside")
  private boolean left;

  private @Nullable IndexBlock block;

  LogCursor(OutputLog log, Promise promise, long[] position, long order) {
    this.log = log;
    this.promise = promise;
    this.position = position;
    this.order = order;
    this.joined = promise == Promise.EVERYTHING;
  }

  @Override
  public Step peek(int maxBytes) {
    if (maxBytes <= 0) {
      throw new IllegalArgumentException("room for at least one byte is needed, not " + maxBytes);
    }
    while (true) {
      Step step;
      Segment segment = null;
      IndexPart part = null;
      long partOrder = 0;
      synchronized (log) {
        step = locate(maxBytes);
        if (step instanceof Data data) {
          segment = log.stream(data.stream()).at(data.offset());
        } else if (step == null) {
          Index index = log.index();
          part = index == null ? null : index.part(order);
          partOrder = order;
          if (part == null) {
            order++; // It has just been given up; the floor tells on the next turn.
          }
        }
      }
      if (step == null) {
        if (part != null && !load(part, partOrder)) {
          synchronized (log) {
            order = Math.max(order, partOrder + 1);
          }
        }
      } else if (segment == null || enter(segment)) {
        current = step;
        return step;
      }
    }
  }

  /// What comes next, or null when entry [#order] has to be read from its file first.
  private @Nullable Step locate(int maxBytes) {
    if (closed) {
      throw closedException();
    }
    if (stalled != null) {
      return new Stalled(stalled, position[stalled.number]);
    }
    long[] mark = markPassed ? null : log.mark();
    Index index = log.index();
    if (index != null) {
      order = Math.max(order, index.first());
      for (StreamLog stream : log.all()) {
        long floor = limited(index.floor(stream.name), mark, stream.name);
        if (position[stream.name.number] < floor) {
          return at(stream, floor, maxBytes, index.floorMicros(), Math.max(0, index.first() - 1));
        }
      }
      long count = index.count();
      while (order < count) {
        long word = IndexBlock.word(index, block, order);
        if (word == 0) {
          return null;
        }
        StreamName name = Index.streamOf(word);
        long end = Index.endOf(word);
        if (position[name.number] < end) {
          long to = limited(end, mark, name);
          if (position[name.number] >= to) {
            break; // The end of the process comes before the rest of this entry.
          }
          long micros = IndexBlock.micros(index, block, order);
          return at(
              log.stream(name),
              joined ? limited(joinedEnd(index, name, end, maxBytes), mark, name) : to,
              maxBytes,
              micros,
              order);
        }
        if (order + 1 == count) {
          break;
        }
        order++;
      }
    }
    // Only where the index has lost entries, or the whole log is gone.
    for (StreamLog stream : log.all()) {
      long end = limited(stream.end, mark, stream.name);
      if (position[stream.name.number] < end) {
        return at(stream, end, maxBytes, index == null ? 0 : index.floorMicros(), order);
      }
    }
    if (mark != null) {
      return MARK;
    }
    boolean drained = log.drained();
    armed = !drained || !markPassed;
    progress.caughtUp();
    return drained ? DRAINED : IDLE;
  }

  private static long limited(long end, long @Nullable [] mark, StreamName name) {
    return mark == null ? end : Math.min(end, mark[name.number]);
  }

  /// What lies between `position` and `to`: a gap first, where there is one.
  private Step at(StreamLog stream, long to, int maxBytes, long micros, long number) {
    long from = position[stream.name.number];
    if (from < stream.start) {
      return new Gap(stream.name, from, stream.start);
    }
    long end = Math.min(to, stream.at(from).end());
    return new Data(stream.name, from, (int) Math.min(end - from, maxBytes), micros, number);
  }

  /// How far the same stream goes on before another one has something to say.
  private long joinedEnd(Index index, StreamName name, long end, int maxBytes) {
    long wanted = position[name.number] + maxBytes;
    long reached = end;
    for (long next = order + 1; reached < wanted && next < index.count(); next++) {
      long word = IndexBlock.word(index, block, next);
      if (word == 0) {
        break; // In a file: enough for now.
      }
      StreamName other = Index.streamOf(word);
      if (other == name) {
        reached = Index.endOf(word);
      } else if (position[other.number] < Index.endOf(word)) {
        break;
      }
    }
    return reached;
  }

  private boolean load(IndexPart part, long number) {
    IndexBlock at = block;
    if (at == null) {
      at = new IndexBlock();
      block = at;
    }
    return at.load(log, log.store.path(FileName.index(log.processId(), part.first)), part, number);
  }

  /// Goes inside the segment of the current data, out of the one before.
  private boolean enter(Segment segment) {
    int stream = segment.stream.number;
    synchronized (inside) {
      Segment before = inside[stream];
      if (before == segment) {
        return true;
      }
      if (left) {
        throw closedException();
      }
      if (!segment.enter()) {
        return false;
      }
      inside[stream] = segment;
      if (before != null) {
        before.release();
      }
      return true;
    }
  }

  private Data data() {
    if (current instanceof Data data) {
      return data;
    }
    throw new IllegalStateException("there is no data at the cursor: " + current);
  }

  @GuardedBy("inside")
  private Segment currentSegment() {
    Segment segment = inside[data().stream().number];
    if (segment == null) {
      throw closedException();
    }
    return segment;
  }

  private IllegalStateException closedException() {
    return new IllegalStateException("this cursor of process " + log.processId() + " is closed");
  }

  @Override
  public int read(ByteBuffer direct) {
    Data data = data();
    int limit = direct.limit();
    int wanted = Math.min(direct.remaining(), data.length());
    direct.limit(direct.position() + wanted);
    // Held while reading, so that a close from elsewhere does not take the file away under it.
    synchronized (inside) {
      try {
        Segment segment = currentSegment();
        long offset = data.offset();
        while (direct.hasRemaining()) {
          long count = segment.read(direct, offset);
          if (count == 0) {
            throw new IllegalStateException(
                "output segment %s is shorter than its index says".formatted(segment));
          }
          offset += count;
        }
      } finally {
        direct.limit(limit);
      }
    }
    return wanted;
  }

  @Override
  public SegmentRef segment() {
    synchronized (inside) {
      return currentSegment().share();
    }
  }

  @Override
  public long filePosition() {
    synchronized (inside) {
      return data().offset() - currentSegment().start;
    }
  }

  @Override
  public void advance(int bytes) {
    Data data = data();
    if (bytes < 0 || bytes > data.length()) {
      throw new IllegalArgumentException(
          "cannot advance by %d, the data has %d bytes".formatted(bytes, data.length()));
    }
    current = null;
    synchronized (log) {
      position[data.stream().number] += bytes;
      progress.consumed(bytes);
    }
    tellHolder(data.stream());
  }

  @Override
  public void skipGap() {
    if (!(current instanceof Gap gap)) {
      throw new IllegalStateException("there is no gap at the cursor: " + current);
    }
    current = null;
    synchronized (log) {
      position[gap.stream().number] = gap.end();
    }
    log.store.counters().gap(gap.end() - gap.start());
    tellHolder(gap.stream());
  }

  private void tellHolder(StreamName stream) {
    Hold held = log.hold;
    if (held != null && promise == Promise.EVERYTHING) {
      held.readerAt(stream, offset(stream));
    }
  }

  @Override
  public void skipMark() {
    if (!(current instanceof Mark)) {
      throw new IllegalStateException("there is no mark at the cursor: " + current);
    }
    current = null;
    synchronized (log) {
      markPassed = true;
    }
  }

  @Override
  public long offset(StreamName stream) {
    synchronized (log) {
      return position[stream.number];
    }
  }

  @Override
  public boolean isStalled() {
    synchronized (log) {
      return stalled != null;
    }
  }

  @Override
  public void joinRuns(boolean join) {
    synchronized (log) {
      joined = join;
    }
  }

  @Override
  public void onWake(Runnable callback) {
    wake = callback;
  }

  @Override
  public void close() {
    synchronized (log) {
      if (closed) {
        return;
      }
      closed = true;
      armed = false;
    }
    log.remove(this);
    synchronized (inside) {
      left = true;
      for (int i = 0; i < inside.length; i++) {
        Segment segment = inside[i];
        inside[i] = null;
        if (segment != null) {
          segment.release();
        }
      }
    }
  }

  // --- For the log. ---

  Promise promise() {
    return promise;
  }

  /// Under the log's monitor: bytes that are printed and not read, gaps included.
  long behind() {
    long bytes = 0;
    for (StreamLog stream : log.all()) {
      bytes += Math.max(0, stream.end - position[stream.name.number]);
    }
    return bytes;
  }

  /// Under the log's monitor: whether the reader waited to be woken. It does not any more.
  @Override
  public boolean disarm() {
    boolean was = armed;
    armed = false;
    return was;
  }

  /// Outside the monitor.
  @Override
  public void wake() {
    Runnable callback = wake;
    if (callback != null) {
      callback.run();
    }
  }

  /// Under the log's monitor: whether it was promised bytes of `stream` below `end`, which it has not read.
  boolean needs(StreamName stream, long end) {
    return promise == Promise.EVERYTHING
        && stalled == null
        && !closed
        && position[stream.number] < end;
  }

  /// Under the log's monitor: how long it may hold the process at `now`, in nanoseconds; 0 when it must be ended.
  long patience(long now, long limitNanos) {
    return progress.patience(now, limitNanos);
  }

  /// Under the log's monitor: the hold it took part in is over for now.
  void released() {
    progress.released();
  }

  /// Under the log's monitor: it does not get the rest.
  void stall(StreamName stream) {
    stalled = stream;
    armed = false;
  }
}
