package dev.sandpiper.agent.output;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Everything that one process printed. Thread-safe.
///
/// The pipe loop is the only one that changes what is in it; readers come on any thread. Lock order: this monitor, then a
/// segment's. Neither I/O nor callbacks happen under this monitor.
public final class OutputLog {
  private static final Logger LOG = LoggerFactory.getLogger(OutputLog.class);

  /// Four times what a pipe holds: more than can be readable at one moment.
  static final int DRAIN_BYTES = 1024 * 1024;

  final OutputStore store;
  private final String processId;

  private final Streams streams;

  private final LogIndex index;
  private final Readers readers = new Readers();

  /// Ends of the streams at the end of the process; null before.
  private long @Nullable [] mark;

  private long retained;
  private boolean finishAsked;
  private boolean deleted;
  private boolean crashExact = true;
  private @Nullable List<Runnable> drainedListeners;

  /// Held back by a reader; null while not. Written on the pipe loop.
  volatile @Nullable Hold hold;

  OutputLog(OutputStore store, String processId, Set<StreamName> names) {
    this.store = store;
    this.processId = processId;
    this.index = new LogIndex(this);
    this.streams = new Streams(names);
  }

  public String processId() {
    return processId;
  }

  public Set<StreamName> streams() {
    return streams.names();
  }

  /// Takes over the source of a stream; from now on its bytes go into the log. Any thread.
  public void attach(StreamName stream, OutputSource source) {
    StreamLog target = stream(stream);
    store.runInLoop(() -> startPump(target, source));
  }

  private void startPump(StreamLog stream, OutputSource source) {
    Pump pump = new Pump(this, stream, source);
    if (deleted() || stream.pump != null || !isOpen(stream)) {
      pump.closeSource();
      if (stream.pump != null) {
        throw new IllegalStateException(
            "%s of process %s has a source already".formatted(stream.name.text(), processId));
      }
      return;
    }
    stream.pump = pump;
    pump.start();
  }

  /// Moves what is readable now into the log, at most 1 MiB per stream. On the pipe loop only. Returns whether nothing readable
  /// is left: false when the bound was hit, or a reader holds the process.
  public boolean drainNow() {
    boolean clear = true;
    for (StreamLog stream : streams) {
      if (stream.pump != null) {
        clear &= stream.pump.drain(DRAIN_BYTES);
      }
    }
    return clear;
  }

  /// Whether every holder of every stream has closed it, and all bytes are in the log.
  public synchronized boolean drained() {
    return !streams.anyOpen();
  }

  /// Calls `listener` once, on the pipe loop, when the log is drained (soon, if it is).
  public void onDrained(Runnable listener) {
    synchronized (this) {
      if (!drained()) {
        if (drainedListeners == null) {
          drainedListeners = new ArrayList<>(1);
        }
        drainedListeners.add(listener);
        return;
      }
    }
    store.runInLoop(listener);
  }

  /// Puts the end of the process here: after every byte that is in the log now. Once; later calls have no effect. Any thread.
  public void markEnd() {
    List<Readers.Waiting> wake;
    synchronized (this) {
      if (mark != null) {
        return;
      }
      mark = streams.ends();
      index.seal();
      wake = readers.disarmed();
    }
    if (store.loop.inLoop()) {
      store.turnEnd.wakeNow(wake);
    } else {
      Readers.wake(wake);
    }
  }

  /// Whether the end of the process is marked.
  public synchronized boolean marked() {
    return mark != null;
  }

  /// The first offset of a stream that is still kept.
  public synchronized long startOffset(StreamName stream) {
    return stream(stream).start;
  }

  /// Bytes printed to a stream so far.
  public synchronized long endOffset(StreamName stream) {
    return stream(stream).end;
  }

  /// Bytes kept in files now, over all streams.
  public synchronized long retainedBytes() {
    return retained;
  }

  /// A new reader of all streams.
  ///
  /// @throws IllegalArgumentException when an offset of `from` lies beyond the end of its stream
  public Cursor cursor(Position from, Promise promise) {
    return cursor(from, promise, streams());
  }

  /// A new reader of some streams; for it there are no others.
  ///
  /// @throws IllegalArgumentException when an offset of `from` lies beyond the end of its stream, or there is no such stream
  public Cursor cursor(Position from, Promise promise, Set<StreamName> wanted) {
    wanted.forEach(this::stream);
    synchronized (this) {
      long[] position =
          switch (from) {
            case Position.Beginning() -> new long[StreamName.COUNT];
            case Position.Now() -> streams.ends();
            case Position.Offsets offsets -> streams.checked(offsets, wanted);
          };
      for (StreamLog stream : streams) {
        if (!wanted.contains(stream.name)) {
          position[stream.name.number] = LogCursor.UNWANTED;
        }
      }
      // The last entry may still grow, so a reader that begins behind it looks at it first.
      Index known = index.get();
      long order =
          known == null
              ? 0
              : from instanceof Position.Now
                  ? Math.max(known.first(), known.count() - 1)
                  : known.begin(position);
      LogCursor cursor = new LogCursor(this, promise, position, order);
      readers.add(cursor);
      return cursor;
    }
  }

  /// Access from anywhere and in both directions, for a reader that holds nobody.
  public LogView view() {
    return new LogView(this);
  }

  /// Calls `wake` once after each [LogWatch#arm] when the log has grown, has ended or is drained.
  public LogWatch watch(Runnable wake) {
    LogWatch watch = new LogWatch(this, wake);
    synchronized (this) {
      readers.add(watch);
    }
    return watch;
  }

  /// When it last grew, in microseconds since 1970; 0 when it never did, or nobody knows.
  public synchronized long lastMicros() {
    Index known = index.get();
    return known == null ? 0 : known.lastMicros();
  }

  void remove(LogWatch watch) {
    synchronized (this) {
      readers.remove(watch);
    }
  }

  /// Where the last `lines` lines begin that these streams printed together, in the order in which the lines were completed.
  /// Without `\n` at the end of a stream, what is behind its last one is a line too. Fewer lines when fewer are kept.
  ///
  /// Reads backwards what it needs, at most all that is kept: not for threads that must not wait.
  ///
  /// @throws java.io.UncheckedIOException when a segment cannot be read, naming its file
  public Position.Offsets positionOfLastLines(long lines, Set<StreamName> wanted) {
    wanted.forEach(this::stream);
    return new LastLines(this, wanted, lines).find();
  }

  /// Whether every byte went straight from pipe to file in the kernel, so that a crash of the agent loses none.
  public synchronized boolean crashExact() {
    return crashExact;
  }

  /// The index when it is small enough for the process's end entry in the journal, else empty: then it is in files of its own
  /// once the log is finished.
  public synchronized byte[] smallIndex() {
    Index known = index.get();
    return known == null ? new byte[0] : SmallIndex.encode(known);
  }

  /// The process has ended. Once the log is drained too it counts as finished: kept, and the first to be evicted. Any thread.
  public void finish() {
    synchronized (this) {
      if (finishAsked) {
        return;
      }
      finishAsked = true;
    }
    store.runInLoop(this::finishIfDrained);
  }

  private void finishIfDrained() {
    synchronized (this) {
      if (!finishAsked || deleted || !drained()) {
        return;
      }
    }
    index.finish();
    store.finished(this);
  }

  /// Removes the log and its files. Its readers are told of a gap up to the end. Any thread.
  public void delete() {
    store.forget(this);
    store.runInLoop(this::deleteNow);
  }

  // --- What follows is for this package. On the pipe loop unless said otherwise. ---

  void deleteNow() {
    synchronized (this) {
      if (deleted) {
        return;
      }
      deleted = true;
    }
    for (StreamLog stream : streams) {
      if (stream.pump != null) {
        stream.pump.stop();
        stream.pump = null;
      }
    }
    while (dropOldest() > 0) {
      // Each turn takes one file.
    }
    index.delete();
    List<Readers.Waiting> wake;
    synchronized (this) {
      streams.closeAll();
      wake = readers.disarmed();
    }
    Readers.wake(wake);
    tellDrained();
  }

  /// Leaves everything as it is on disk and lets the descriptors go.
  void detach() {
    for (StreamLog stream : streams) {
      if (stream.pump != null) {
        stream.pump.stop();
        stream.pump = null;
        seal(stream);
      }
    }
    index.finish();
  }

  /// Makes the active segment an ordinary one.
  void seal(StreamLog stream) {
    Segment active = stream.active;
    if (active != null) {
      stream.active = null;
      active.release();
    }
  }

  void begin(StreamLog stream, Segment segment) {
    seal(stream);
    synchronized (this) {
      stream.add(segment);
      stream.active = segment;
    }
  }

  String path(StreamLog stream) {
    return store.path(FileName.segment(processId, stream.name, stream.end));
  }

  /// `bytes` more are in the active segment.
  void grew(StreamLog stream, long bytes) {
    List<Readers.Waiting> wake;
    boolean full;
    long micros = store.stamp();
    synchronized (this) {
      if (stream.active == null) {
        throw new IllegalStateException("grew without a segment");
      }
      stream.active.length += bytes;
      stream.end += bytes;
      retained += bytes;
      full = index.append(stream, micros);
      wake = readers.disarmed();
    }
    store.stamped();
    store.grew(stream.name, bytes);
    if (full) {
      index.write(false);
    }
    store.turnEnd.grew(wake, bytes);
  }

  /// `bytes` more were printed and could not be kept: a gap up to the end of the stream. Its segments are gone already.
  void lost(StreamLog stream, long bytes) {
    List<Readers.Waiting> wake;
    boolean full;
    long micros = store.stamp();
    synchronized (this) {
      stream.end += bytes;
      stream.start = stream.end;
      full = index.append(stream, micros);
      wake = readers.disarmed();
    }
    store.stamped();
    store.lost(stream.name, bytes);
    if (full) {
      index.write(false);
    }
    Readers.wake(wake);
  }

  /// A stream has got its last byte.
  void ended(StreamLog stream) {
    seal(stream);
    List<Readers.Waiting> wake;
    boolean all;
    synchronized (this) {
      stream.open = false;
      stream.pump = null;
      all = drained();
      wake = all ? readers.disarmed() : List.of();
    }
    store.turnEnd.wakeSoon(wake); // the end of the process is near as a rule
    if (all) {
      tellDrained();
      finishIfDrained();
    }
  }

  private void tellDrained() {
    List<Runnable> listeners;
    synchronized (this) {
      listeners = drainedListeners == null ? List.of() : drainedListeners;
      drainedListeners = null;
    }
    for (Runnable listener : listeners) {
      try {
        listener.run();
      } catch (RuntimeException failure) {
        LOG.error("process {}: what follows its last output failed", processId, failure);
      }
    }
  }

  /// The stream whose oldest segment is the oldest of this log: the one whose first byte was printed first, as near as the
  /// position within the stream tells. Null when nothing is kept.
  @Nullable StreamLog streamOfOldest() {
    synchronized (this) {
      StreamLog best = null;
      long bestNumber = Long.MAX_VALUE;
      for (StreamLog stream : streams) {
        Segment oldest = stream.oldest();
        // A sealed one before an active one: a stream that printed little keeps its few bytes.
        if (oldest != null) {
          long number = (oldest == stream.active ? 1L << 62 : 0) + oldest.number();
          if (number < bestNumber) {
            best = stream;
            bestNumber = number;
          }
        }
      }
      return best;
    }
  }

  /// Drops the oldest segment, whoever still wants it. Returns the bytes that are gone; 0 when there was none.
  long dropOldest() {
    StreamLog stream = streamOfOldest();
    if (stream == null) {
      return 0;
    }
    Segment oldest = stream.oldest();
    if (oldest == null) {
      return 0;
    }
    if (oldest == stream.active) {
      seal(stream);
    }
    long bytes;
    List<IndexPart> parts;
    synchronized (this) {
      stream.removeOldest();
      bytes = oldest.length;
      retained -= bytes;
      parts = index.prune(streams.starts());
    }
    oldest.drop();
    index.remove(parts);
    store.dropped(bytes);
    return Math.max(bytes, 1);
  }

  /// Any thread.
  synchronized long retained() {
    return retained;
  }

  synchronized void notCrashExact() {
    crashExact = false;
  }

  // --- Any thread, under the monitor. ---

  StreamLog stream(StreamName name) {
    return streams.get(name);
  }

  Streams all() {
    return streams;
  }

  @Nullable Index index() {
    return index.get();
  }

  long @Nullable [] mark() {
    return mark;
  }

  private synchronized boolean deleted() {
    return deleted;
  }

  private synchronized boolean isOpen(StreamLog stream) {
    return stream.open;
  }

  synchronized LogCursor[] cursors() {
    return readers.all();
  }

  /// Any thread.
  void remove(LogCursor cursor) {
    synchronized (this) {
      readers.remove(cursor);
    }
    Hold held = hold;
    if (held != null) {
      held.lookAgain(); // If it was this reader, the process goes on.
    }
  }

  // --- What an earlier agent left. ---

  void restore(StreamName name, List<Segment> found, long knownEnd) {
    StreamLog stream = stream(name);
    synchronized (this) {
      stream.open = false;
      for (Segment segment : found) {
        stream.add(segment);
        retained += segment.length;
        stream.end = segment.end();
      }
      if (found.isEmpty()) {
        stream.end = knownEnd;
      }
      stream.start = found.isEmpty() ? stream.end : found.getFirst().start;
    }
  }

  void restore(@Nullable Index found) {
    synchronized (this) {
      index.restore(found);
      mark = streams.ends();
      finishAsked = true;
      streams.closeAll();
    }
  }

  /// Whoever printed to `names` still does, or left something in a pipe.
  ///
  /// @param ends of the streams when the process ended; null when it has not
  void goOn(@Nullable Index found, Set<StreamName> names, @Nullable Map<StreamName, Long> ends) {
    synchronized (this) {
      index.restore(found);
      if (ends != null) {
        long[] marked = new long[StreamName.COUNT];
        streams.forEach(stream ->
            marked[stream.name.number] = Math.min(stream.end, ends.getOrDefault(stream.name, 0L)));
        mark = marked;
      }
      for (StreamName name : names) {
        stream(name).open = true;
      }
    }
  }
}
