package dev.sandpiper.agent.output;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.telemetry.MetricSource;
import dev.sandpiper.agent.telemetry.MetricsText;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// All output logs of the agent and the bound on them together. Thread-safe; lock order: this monitor, then a log's.
public final class OutputStore implements AutoCloseable, MetricSource {
  private static final Logger LOG = LoggerFactory.getLogger(OutputStore.class);

  private static final long MAX_DEFAULT_TOTAL = 1L << 30;
  private static final int FREE_SPACE_SHARE = 10;

  /// Entries of an index per byte of retention: an index takes a quarter of the room of its bytes at most.
  private static final int BYTES_PER_ENTRY = 64;

  private static final long SAY_AGAIN_NANOS = 60_000_000_000L;

  private static final long CLOSE_SECONDS = 10;

  private static final int BUFFER_BYTES = 64 * 1024;

  final PipeLoop loop;
  final Clock clock;
  final Pacer pacer;
  final TurnEnd turnEnd;
  final Retention retention;
  private final String directory;
  private final OutputSettings settings;
  private final OutputCounters counters = new OutputCounters();
  private final AtomicLong total = new AtomicLong();
  private final AtomicLong numbers = new AtomicLong();
  private final AtomicBoolean makingRoom = new AtomicBoolean();
  private volatile Consumer<String> evicted = _ -> {};

  @GuardedBy("this")
  private final Map<String, OutputLog> logs = new LinkedHashMap<>();

  /// Oldest first.
  @GuardedBy("this")
  private final Set<OutputLog> finished = new LinkedHashSet<>();

  /// Those of them that have bytes to give.
  @GuardedBy("this")
  private final Set<OutputLog> finishedWithBytes = new LinkedHashSet<>();

  @GuardedBy("this")
  private Map<String, Remains> remains = Map.of();

  /// A log is growing at this moment, at a time that has been taken.
  private volatile boolean stamping;

  // Pipe loop only.
  private int devNull = -1;
  private @Nullable ByteBuffer buffer;
  private long diskFullSaid;

  OutputStore(Path directory, OutputSettings settings, PipeLoop loop, Clock clock) {
    this.directory = directory.toString();
    this.settings = settings;
    this.loop = loop;
    this.clock = clock;
    this.pacer = new Pacer(loop, clock);
    this.turnEnd = new TurnEnd(loop, clock, LockSupport::parkNanos);
    this.retention = new Retention(this, settings, totalLimit(directory, settings));
  }

  /// Opens the store in `directory` (which exists) and finds what an earlier agent left there; [#recover] and [#recoverRest]
  /// make logs of it.
  public static OutputStore open(Path directory, OutputSettings settings, PipeLoop loop) {
    return open(directory, settings, loop, Clock.SYSTEM);
  }

  static OutputStore open(Path directory, OutputSettings settings, PipeLoop loop, Clock clock) {
    OutputStore store = new OutputStore(directory, settings, loop, clock);
    Map<String, Remains> found = Remains.find(directory);
    synchronized (store) {
      store.remains = found;
    }
    return store;
  }

  private static long totalLimit(Path directory, OutputSettings settings) {
    if (settings.totalBytes() != 0) {
      return settings.totalBytes();
    }
    long free = directory.toFile().getUsableSpace(); // one statvfs(3); a FileStore reads all mounts
    return Math.max(
        OutputSettings.MIN_RETENTION_BYTES, Math.min(MAX_DEFAULT_TOTAL, free / FREE_SPACE_SHARE));
  }

  /// A log for a new process. Creates no file: nothing is created before the first byte.
  ///
  /// @param processId letters, digits, `-` and `_`, at most 64
  /// @throws IllegalStateException when there is a log of that name
  public OutputLog create(String processId, Set<StreamName> streams) {
    OutputLog log = new OutputLog(this, FileName.checkProcessId(processId), streams);
    synchronized (this) {
      if (remains.containsKey(processId) || logs.putIfAbsent(processId, log) != null) {
        throw new IllegalStateException("there is an output log of process " + processId);
      }
    }
    return log;
  }

  /// Opens what an earlier agent left of a process as a finished log. To be called in the order in which the processes ended.
  ///
  /// @param ends bytes printed per stream, as the journal has them; where files say more, the files are right
  /// @param smallIndex what [OutputLog#smallIndex] said, or empty
  public OutputLog recover(String processId, Map<StreamName, Long> ends, byte[] smallIndex) {
    Remains found;
    OutputLog log;
    synchronized (this) {
      Remains known = remains.remove(FileName.checkProcessId(processId));
      found = known == null ? new Remains(processId, directory) : known;
      log = found.open(this, ends, smallIndex);
      if (logs.putIfAbsent(processId, log) != null) {
        throw new IllegalStateException("there is an output log of process " + processId);
      }
      finished.add(log);
      if (log.retained() > 0) {
        finishedWithBytes.add(log);
      }
    }
    total.addAndGet(log.retained());
    return log;
  }

  /// Opens what an earlier agent left of a process that is taken over: the log goes on where its files end. Before
  /// [#recoverRest].
  ///
  /// @param streams what it may still print to
  public OutputLog adopt(String processId, Set<StreamName> streams) {
    return goOn(processId, streams, null, new byte[0]);
  }

  /// The same for a process that has ended, and left somebody behind who still has its streams.
  ///
  /// @param ends bytes printed per stream at its end, which is marked there
  /// @param smallIndex what [OutputLog#smallIndex] said then, or empty
  public OutputLog adoptEnded(
      String processId, Set<StreamName> streams, Map<StreamName, Long> ends, byte[] smallIndex) {
    return goOn(processId, streams, ends, smallIndex);
  }

  private OutputLog goOn(
      String processId,
      Set<StreamName> streams,
      @Nullable Map<StreamName, Long> ends,
      byte[] smallIndex) {
    OutputLog log;
    synchronized (this) {
      Remains known = remains.remove(FileName.checkProcessId(processId));
      Remains left = known == null ? new Remains(processId, directory) : known;
      log = left.goOn(this, streams, ends, smallIndex);
      if (logs.putIfAbsent(processId, log) != null) {
        throw new IllegalStateException("there is an output log of process " + processId);
      }
    }
    total.addAndGet(log.retained());
    return log;
  }

  /// Opens what is left of processes nobody has named, oldest first: nothing is deleted because a journal is missing.
  public List<OutputLog> recoverRest() {
    List<String> rest;
    synchronized (this) {
      rest = Remains.oldestFirst(remains.values());
    }
    List<OutputLog> recovered = new ArrayList<>(rest.size());
    for (String processId : rest) {
      recovered.add(recover(processId, Map.of(), new byte[0]));
    }
    runInLoop(this::evictOldest);
    return recovered;
  }

  public synchronized Optional<OutputLog> find(String processId) {
    return Optional.ofNullable(logs.get(processId));
  }

  /// Sets who is told, on the pipe loop, that the log of a finished process was removed as a whole, because more than
  /// [OutputSettings#finishedProcesses] are newer. To be set before [#recoverRest].
  public void onEvicted(Consumer<String> listener) {
    evicted = listener;
  }

  /// The time of a growth that is about to be entered; [#stamped] when it is. Pipe loop only.
  long stamp() {
    stamping = true;
    return clock.micros();
  }

  void stamped() {
    stamping = false;
  }

  /// A time before which all logs are complete: nothing earlier will be entered in any, unless the clock is set back.
  /// [Long#MIN_VALUE] when that cannot be said at this moment. Any thread.
  public long settledMicros() {
    // First the clock, then the look: a growth that is not seen here takes its time later.
    long now = clock.micros();
    return stamping ? Long.MIN_VALUE : now - Index.MERGE_MICROS;
  }

  public OutputCounters counters() {
    return counters;
  }

  /// Bytes kept for all processes together.
  public long totalBytes() {
    return total.get();
  }

  @Override
  public void write(MetricsText text) {
    OutputMetrics.write(this, text);
  }

  /// Closes all descriptors; files stay, and what is still printed waits in the pipes. Waits for the pipe loop, and is to be
  /// called before that is closed. Twice is fine.
  @Override
  public void close() {
    if (loop.inLoop()) {
      detachAll();
      return;
    }
    CountDownLatch done = new CountDownLatch(1);
    loop.execute(() -> {
      try {
        detachAll();
      } finally {
        done.countDown();
      }
    });
    try {
      if (!done.await(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        LOG.warn("the pipe loop did not let go of the output logs within {} s", CLOSE_SECONDS);
      }
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }

  private void detachAll() {
    List<OutputLog> all;
    synchronized (this) {
      all = List.copyOf(logs.values());
      logs.clear();
      finished.clear();
      finishedWithBytes.clear();
    }
    for (OutputLog log : all) {
      log.detach();
    }
    if (devNull >= 0) {
      Posix.close(devNull);
      devNull = -1;
    }
  }

  // --- For the logs. ---

  void runInLoop(Runnable task) {
    if (loop.inLoop()) {
      task.run();
    } else {
      loop.execute(task);
    }
  }

  String path(String name) {
    return directory + '/' + name;
  }

  void remove(String name) {
    Posix.unlink(path(name));
  }

  long nextNumber() {
    return numbers.incrementAndGet();
  }

  int maxIndexParts() {
    return (int) Math.max(2, settings.retentionBytes() / BYTES_PER_ENTRY / IndexPart.MAX_ENTRIES);
  }

  void grew(StreamName stream, long bytes) {
    total.addAndGet(bytes);
    counters.printed(stream, bytes);
    counters.writtenBytes.add(bytes);
  }

  void lost(StreamName stream, long bytes) {
    counters.printed(stream, bytes);
    counters.droppedBytes.add(bytes);
  }

  void dropped(long bytes) {
    total.addAndGet(-bytes);
    counters.droppedBytes.add(bytes);
  }

  void diskFull(OutputLog log) {
    diskFull("process " + log.processId());
  }

  private void diskFull(String who) {
    counters.diskFull.increment();
    long now = clock.nanoTime();
    if (diskFullSaid == 0 || now - diskFullSaid > SAY_AGAIN_NANOS) {
      diskFullSaid = now == 0 ? 1 : now;
      LOG.warn(
          "no space in {} ({}): the oldest output goes, {} times so far",
          directory,
          who,
          counters.diskFull());
    }
  }

  /// Somebody else on this disk needs room: gives one segment, of the oldest finished process first, then of the live one
  /// that keeps most. Any thread; returns at once.
  public void makeRoom() {
    if (!makingRoom.getAndSet(true)) {
      runInLoop(() -> {
        makingRoom.set(false);
        OutputLog largest = largest();
        if (retention.freeDisk(largest) == Retention.Outcome.DROPPED) {
          diskFull("the journal");
        }
      });
    }
  }

  void indexFailed(OutputLog log, long result) {
    LOG.warn(
        "process {}: the order of older output is no longer known, its index could not be written"
            + " in {}: {}",
        log.processId(),
        directory,
        Errno.describe(result));
  }

  /// Pipe loop only.
  void finished(OutputLog log) {
    synchronized (this) {
      if (!logs.containsKey(log.processId())) {
        return;
      }
      finished.add(log);
      if (log.retained() > 0) {
        finishedWithBytes.add(log);
      }
    }
    evictOldest();
  }

  /// What is beyond the number of finished logs.
  private void evictOldest() {
    List<OutputLog> gone = new ArrayList<>(0);
    synchronized (this) {
      while (finished.size() > settings.finishedProcesses()) {
        OutputLog oldest = finished.iterator().next();
        finished.remove(oldest);
        finishedWithBytes.remove(oldest);
        logs.remove(oldest.processId());
        gone.add(oldest);
      }
    }
    for (OutputLog oldest : gone) {
      counters.evictedLogs.increment();
      oldest.deleteNow();
      evicted.accept(oldest.processId());
    }
  }

  /// All logs there are now.
  synchronized List<OutputLog> all() {
    return List.copyOf(logs.values());
  }

  synchronized void forget(OutputLog log) {
    logs.remove(log.processId(), log);
    finished.remove(log);
    finishedWithBytes.remove(log);
  }

  /// The oldest finished log that has bytes; null when none has. Pipe loop only.
  synchronized @Nullable OutputLog oldestFinishedWithBytes() {
    for (var oldest = finishedWithBytes.iterator(); oldest.hasNext(); ) {
      OutputLog log = oldest.next();
      if (log.retained() > 0) {
        return log;
      }
      oldest.remove();
    }
    return null;
  }

  /// All of them, oldest first.
  synchronized List<OutputLog> finishedWithBytes() {
    return List.copyOf(finishedWithBytes);
  }

  /// The log of a live process that keeps most, or null when none keeps anything.
  synchronized @Nullable OutputLog largest() {
    OutputLog largest = null;
    long bytes = 0;
    for (OutputLog log : logs.values()) {
      long retained = log.retained();
      if (retained > bytes && !finished.contains(log)) {
        largest = log;
        bytes = retained;
      }
    }
    return largest;
  }

  /// Where bytes go for which there is no room anywhere. Pipe loop only.
  int devNull() {
    if (devNull < 0) {
      devNull = Posix.open("/dev/null", Fcntl.O_WRONLY | Fcntl.O_CLOEXEC, 0);
    }
    return devNull;
  }

  /// An empty buffer for the moment. Pipe loop only.
  ByteBuffer buffer() {
    if (buffer == null) {
      buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
    }
    return buffer.clear();
  }
}
