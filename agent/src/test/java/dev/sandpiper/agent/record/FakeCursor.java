package dev.sandpiper.agent.record;

import dev.sandpiper.agent.output.Cursor;
import dev.sandpiper.agent.output.SegmentRef;
import dev.sandpiper.agent.output.StreamName;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.EnumMap;
import java.util.Map;

/// A cursor over a log that the test writes by hand, from any thread.
final class FakeCursor implements Cursor {
  private static final class Run {
    final Step step;
    final byte[] bytes;
    int at;

    Run(Step step, byte[] bytes) {
      this.step = step;
      this.bytes = bytes;
    }
  }

  private final ArrayDeque<Run> runs = new ArrayDeque<>();
  private final Map<StreamName, Long> ends = new EnumMap<>(StreamName.class);
  private Runnable wake = () -> {};
  private boolean armed;
  private boolean drained;
  private boolean markPassed;
  private boolean closed;
  private int order;
  private int reads;
  private long timeMicros = 1_700_000_000_000_000L;

  FakeCursor print(StreamName stream, String text) {
    return print(stream, Lines.utf8(text));
  }

  FakeCursor print(StreamName stream, byte[] bytes) {
    if (bytes.length == 0) {
      return this;
    }
    Runnable woken;
    synchronized (this) {
      long offset = ends.merge(stream, (long) bytes.length, Long::sum) - bytes.length;
      runs.add(new Run(new Step.Data(stream, offset, bytes.length, timeMicros++, order++), bytes));
      woken = wakeUp();
    }
    woken.run();
    return this;
  }

  /// The stream begins here for this cursor.
  synchronized void at(StreamName stream, long offset) {
    ends.put(stream, offset);
  }

  FakeCursor gap(StreamName stream, long length) {
    Runnable woken;
    synchronized (this) {
      long start = ends.merge(stream, length, Long::sum) - length;
      runs.add(new Run(new Step.Gap(stream, start, start + length), new byte[0]));
      woken = wakeUp();
    }
    woken.run();
    return this;
  }

  FakeCursor mark() {
    Runnable woken;
    synchronized (this) {
      runs.add(new Run(new Step.Mark(), new byte[0]));
      woken = wakeUp();
    }
    woken.run();
    return this;
  }

  FakeCursor drain() {
    Runnable woken;
    synchronized (this) {
      drained = true;
      woken = wakeUp();
    }
    woken.run();
    return this;
  }

  private Runnable wakeUp() {
    boolean due = armed;
    armed = false;
    return due ? wake : () -> {};
  }

  synchronized boolean closed() {
    return closed;
  }

  synchronized int reads() {
    return reads;
  }

  @Override
  public synchronized Step peek(int maxBytes) {
    if (closed) {
      throw new IllegalStateException("peek after close");
    }
    var run = runs.peek();
    if (run == null) {
      armed = !drained || !markPassed;
      return drained ? new Step.Drained() : new Step.Idle();
    }
    return run.step instanceof Step.Data data
        ? new Step.Data(
            data.stream(),
            data.offset() + run.at,
            Math.min(maxBytes, run.bytes.length - run.at),
            data.timeMicros(),
            data.order())
        : run.step;
  }

  @Override
  public synchronized int read(ByteBuffer direct) {
    if (!direct.isDirect()) {
      throw new IllegalArgumentException("not a direct buffer");
    }
    reads++;
    var run = runs.element();
    int count = Math.min(direct.remaining(), run.bytes.length - run.at);
    direct.put(run.bytes, run.at, count);
    return count;
  }

  @Override
  public synchronized void advance(int bytes) {
    var run = runs.element();
    run.at += bytes;
    if (run.at == run.bytes.length) {
      runs.remove();
    }
  }

  @Override
  public synchronized void skipGap() {
    if (!(runs.remove().step instanceof Step.Gap)) {
      throw new IllegalStateException("not at a gap");
    }
  }

  @Override
  public synchronized void skipMark() {
    if (!(runs.remove().step instanceof Step.Mark)) {
      throw new IllegalStateException("not at the mark");
    }
    markPassed = true;
  }

  @Override
  public synchronized long offset(StreamName stream) {
    long waiting =
        runs.stream()
            .filter(run -> run.step instanceof Step.Data data && data.stream() == stream)
            .mapToLong(run -> run.bytes.length - run.at)
            .sum();
    return ends.getOrDefault(stream, 0L) - waiting;
  }

  @Override
  public synchronized void onWake(Runnable wake) {
    this.wake = wake;
  }

  @Override
  public synchronized void close() {
    closed = true;
  }

  @Override
  public SegmentRef segment() {
    throw new UnsupportedOperationException("records are read, not sent from the file");
  }

  @Override
  public long filePosition() {
    throw new UnsupportedOperationException("records are read, not sent from the file");
  }
}
