package dev.sandpiper.agent.record;

import dev.sandpiper.agent.output.Cursor;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.Position;
import dev.sandpiper.agent.output.Promise;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.record.ProcessRecords.Turn;
import dev.sandpiper.agent.telemetry.Counters;
import java.io.IOException;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Turns the lives and the output of processes into records: one reader of every log, on the thread of the
/// [RecordWriter].
///
/// Per process: `process_start`; its output up to its end; `process_end`; then what a background child prints, under
/// the same `process_id` with `seq` going on. A line that has not ended when the process ends leaves then, before
/// `process_end`; what the child adds to it is a line of its own, and a line end alone is none.
///
/// The methods may be called on any thread, also the pipe loop; they wait for nothing. What they leave behind is one
/// entry per process, so the queue of those with news is bounded by the number of processes; and while standard output
/// is stalled at most [#MOST_WAITING_BYTES] of starts wait: a process beyond that has no records, which is counted.
public final class RecordEmitter implements RecordWriter.Source {
  /// What starts that are not written yet may take, each counted as its command line and [#PER_PROCESS_BYTES].
  static final long MOST_WAITING_BYTES = 8 * 1024 * 1024;

  private static final long PER_PROCESS_BYTES = 1024;

  /// One process's turn before the next one's; a few batches.
  private static final int TURN_BYTES = 256 * 1024;

  private final RecordSettings settings;
  private final RecordWriter writer;
  private final RecordTurn shared;
  private final ConcurrentMap<String, ProcessRecords> processes = new ConcurrentHashMap<>();
  // Bound: one entry per process (ProcessRecords.queued).
  private final ConcurrentLinkedQueue<ProcessRecords> ready = new ConcurrentLinkedQueue<>();
  private final AtomicLong waitingBytes = new AtomicLong();
  private boolean keptBefore;

  /// Registers itself with the writer, which must not have been started yet.
  public RecordEmitter(
      RecordSettings settings, RecordWriter writer, InstantSource clock, Counters counters) {
    this.settings = settings;
    this.writer = writer;
    shared =
        new RecordTurn(
            settings, writer.encoder(), writer.ledger(), clock, counters, this::startLeft);
    writer.source(this);
  }

  /// A process runs. `log` holds what it prints; null for a terminal, whose output is not recorded.
  public void processStarted(ProcessFacts facts, @Nullable OutputLog log) {
    var cursor =
        log == null || !settings.output()
            ? null
            : log.cursor(Position.BEGINNING, Promise.BEST_EFFORT);
    begin(facts, cursor, EmitterPosition.beginning(settings));
  }

  /// Goes on where the records of an earlier agent in the state directory `directory` stopped: with the batch that it may
  /// or may not have written, then with each process that [#processAdopted] names. Before the first process and before
  /// the writer's [RecordWriter#release].
  ///
  /// @param journal takes the ids of processes all of whose records have left, on the record thread; they are not to be
  ///     named by [#processAdopted] again
  /// @param notes gets what the operator has to know, one sentence each
  /// @throws IOException when the directory cannot keep how far the records come: after a crash those of the processes
  ///     that go on come again
  public void resume(Path directory, Journal journal, List<String> notes) throws IOException {
    var file = RecordFile.open(directory, notes);
    keptBefore = !file.fresh();
    writer.ledger().open(file, journal::allLeft);
  }

  /// Keeps for good that all records of these processes have left.
  @FunctionalInterface
  public interface Journal {
    void allLeft(List<String> processIds) throws IOException;
  }

  /// Whether the earlier agent kept how far the records came. If not, all records of ended processes are taken to have
  /// left: there may be thousands, and they would all come again.
  public boolean keptBefore() {
    return keptBefore;
  }

  /// All processes of earlier agents that there are have been named by [#processAdopted].
  public void resumed() {
    writer.ledger().forgetRest();
  }

  /// A process that began before this agent did, its records going on where they were left. Between [#resume] and
  /// [#resumed].
  ///
  /// @param log as for [#processStarted]; [#processEnded] follows, at once where it has ended
  public void processAdopted(ProcessFacts facts, @Nullable OutputLog log) {
    adopt(facts, from -> log == null || !settings.output() ? null : cursor(log, from));
  }

  void adopt(ProcessFacts facts, Function<EmitterPosition, @Nullable Cursor> reader) {
    var found = writer.ledger().found(facts.processId());
    if (found != null && found.told()) {
      return;
    }
    var from = found == null ? EmitterPosition.beginning(settings) : found.position();
    var cursor = reader.apply(from);
    var process = new ProcessRecords(facts, cursor, from);
    process.slot = found == null ? RecordFile.NO_SLOT : found.slot();
    if (!from.started()) {
      waitingBytes.addAndGet(size(facts)); // given back when its start has left
    }
    add(process, cursor);
  }

  private static Cursor cursor(OutputLog log, EmitterPosition from) {
    // Where files were lost, less may be there than has left.
    return log.cursor(
        new Position.Offsets(
            Math.min(from.stdout().offset(), end(log, StreamName.STDOUT)),
            Math.min(from.stderr().offset(), end(log, StreamName.STDERR)),
            0),
        Promise.BEST_EFFORT);
  }

  private static long end(OutputLog log, StreamName stream) {
    return log.streams().contains(stream) ? log.endOffset(stream) : 0;
  }

  /// The process has ended; its log, if it has one, is marked (now or later). Unknown ids, and a second end, are ignored.
  public void processEnded(String processId, EndFacts end) {
    var process = processes.get(processId);
    if (process != null) {
      process.end(end);
      enqueue(process);
    }
  }

  void begin(ProcessFacts facts, @Nullable Cursor cursor, EmitterPosition from) {
    long size = from.started() ? 0 : size(facts);
    if (waitingBytes.addAndGet(size) > MOST_WAITING_BYTES) {
      waitingBytes.addAndGet(-size);
      if (cursor != null) {
        cursor.close();
      }
      writer.dropped(new RecordDrops.Counts(0, 0, 1));
      return;
    }
    add(new ProcessRecords(facts, cursor, from), cursor);
  }

  private void add(ProcessRecords process, @Nullable Cursor cursor) {
    if (cursor != null) {
      cursor.onWake(() -> enqueue(process));
    }
    if (processes.putIfAbsent(process.processId(), process) != null) {
      throw new IllegalStateException("process " + process.processId() + " was started twice");
    }
    enqueue(process);
  }

  private static long size(ProcessFacts facts) {
    return PER_PROCESS_BYTES + facts.command().length();
  }

  private void startLeft(ProcessFacts facts) {
    waitingBytes.addAndGet(-size(facts));
  }

  private void enqueue(ProcessRecords process) {
    if (!process.queued.getAndSet(true)) {
      ready.add(process);
      writer.wake();
    }
  }

  /// A turn for everyone who has news now. On the record thread only.
  @Override
  public boolean emit() {
    for (int turns = ready.size(); turns > 0; turns--) {
      var process = ready.poll();
      if (process == null) {
        break;
      }
      // First the flag, then the look: news that comes from here on brings another turn.
      process.queued.set(false);
      switch (turn(process)) {
        case MORE -> enqueue(process);
        case WAIT -> {}
        case DONE -> processes.remove(process.processId(), process);
      }
      if (writer.ledger().full()) {
        writer.flush();
      }
    }
    return !ready.isEmpty();
  }

  private Turn turn(ProcessRecords process) {
    try {
      return process.turn(shared, TURN_BYTES);
    } catch (RuntimeException e) {
      // One unreadable log must not end the records of all others. The record tells.
      process.fail(String.valueOf(e.getMessage()), shared);
      return Turn.MORE;
    }
  }

  /// Where the records of each process stand, for the journal. On the record thread only.
  @Nullable EmitterPosition position(String processId) {
    var process = processes.get(processId);
    return process == null ? null : process.position();
  }

  /// Processes of which something is still to be told.
  @Override
  public int open() {
    return processes.size();
  }
}
