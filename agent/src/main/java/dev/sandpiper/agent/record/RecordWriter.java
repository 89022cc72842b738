package dev.sandpiper.agent.record;

import dev.sandpiper.agent.telemetry.Counters;
import dev.sandpiper.agent.telemetry.LogQueue;
import java.time.Duration;
import java.time.InstantSource;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The one thread that writes lines: the agent's own ([LogQueue]) and the records ([RecordEmitter]).
///
/// It sleeps until there is news, waits [#GATHER] for more, makes a batch and writes it; then it looks for news once
/// per [#GATHER], until there was none for [#LINGER] times and it sleeps again. So a burst of starts costs few wake-ups
/// and few writes, and whoever brings news while it is awake makes no system call. When nobody reads standard output it stops within that write, and only it: output waits
/// in the logs, log lines in their queue. When the reader is gone, lines are dropped and counted, and told of in a
/// `records_dropped` record when writing works again, or to `lastWords` at the end.
public final class RecordWriter implements AutoCloseable {
  /// Who has records to make. Called on the writer's thread.
  interface Source {
    /// Makes some records. True when there is more at once.
    boolean emit();

    /// For how many processes something is still to be told. Any thread.
    int open();
  }

  private static final Source NOTHING =
      new Source() {
        @Override
        public boolean emit() {
          return false;
        }

        @Override
        public int open() {
          return 0;
        }
      };

  /// Long enough to gather the starts and ends of a burst, short enough for eyes.
  private static final Duration GATHER = Duration.ofMillis(20);

  /// What a step of the shutdown may take.
  public static final Duration LIMIT = Duration.ofSeconds(2);

  private static final int LINGER = 20;

  /// Log lines before records get their turn again.
  private static final int LOG_LINES = 256;

  private final LogQueue log;
  private final InstantSource clock;
  private final Counters counters;
  private final Consumer<String> lastWords;
  private final LineOutput output;
  private final RecordBuffer buffer;
  private final RecordEncoder encoder;
  private final RecordLedger ledger = new RecordLedger();
  private final RecordDrops drops = new RecordDrops();
  private final AtomicReference<RecordDrops.Counts> elsewhere =
      new AtomicReference<>(RecordDrops.Counts.NONE);
  private final AtomicBoolean news = new AtomicBoolean();
  private final Thread thread;
  private Source source = NOTHING;
  private boolean lossy; // the last batch was lost, in part at least
  private volatile boolean asleep;
  private volatile boolean closing;
  private volatile boolean held;
  private volatile @Nullable CountDownLatch lettingGo;

  /// `lastWords` takes what can no longer be a record, in one line: standard error.
  public RecordWriter(
      RecordSink sink,
      LogQueue log,
      InstantSource clock,
      Counters counters,
      Consumer<String> lastWords) {
    this.log = log;
    this.clock = clock;
    this.counters = counters;
    this.lastWords = lastWords;
    output = new LineOutput(sink);
    buffer = new RecordBuffer(this::drain);
    encoder = new RecordEncoder(buffer);
    thread =
        Thread.ofPlatform()
            .name("records")
            .daemon()
            .uncaughtExceptionHandler((_, failure) ->
                lastWords.accept(
                    "standard output may end within a line: the thread that writes it ended: "
                        + failure))
            .unstarted(this::run);
  }

  RecordEncoder encoder() {
    return encoder;
  }

  RecordLedger ledger() {
    return ledger;
  }

  void source(Source source) {
    this.source = source;
  }

  /// Begins. From now on this is the only writer of its descriptor.
  public void start() {
    log.onLine(this::wake);
    thread.start();
  }

  /// Begins, but writes nothing before [#release] or the end: what another agent was writing when it was stopped comes
  /// first, and is not known yet.
  public void startHeld() {
    held = true;
    start();
  }

  /// What an earlier agent left is known ([RecordEmitter#resume]), if anything.
  public void release() {
    held = false;
    wake();
    LockSupport.unpark(thread);
  }

  /// Writes what there is now, at most for `limit`, and forgets the state directory: another agent may have it. What
  /// comes later is written, and not kept. Waits; any thread but the writer's.
  public void letGo(Duration limit) {
    if (!ledger.active() || !thread.isAlive()) {
      return;
    }
    CountDownLatch done = new CountDownLatch(1);
    lettingGo = done;
    wake();
    LockSupport.unpark(thread);
    try {
      if (!done.await(limit.toNanos(), TimeUnit.NANOSECONDS)) {
        ledger.abandon();
        output.giveUpAfter(Duration.ZERO);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// There is news. Any thread; costs a read when the thread knows already.
  void wake() {
    // First the news, then the look whether it sleeps; the thread does it the other way round.
    if (!news.get() && !news.getAndSet(true) && asleep) {
      LockSupport.unpark(thread);
    }
  }

  /// Something was dropped before it came here. Any thread.
  void dropped(RecordDrops.Counts counts) {
    elsewhere.accumulateAndGet(counts, RecordDrops.Counts::plus);
    wake();
  }

  /// Writes what there is, at most for the default time of a shutdown step.
  @Override
  public void close() {
    close(LIMIT);
  }

  /// Writes what there is, and waits for it at most `limit`; says in `lastWords` what could not be written. What is
  /// logged later is dropped. Any thread; the second call only waits.
  public void close(Duration limit) {
    boolean first = !closing;
    boolean givenUp = output.expired();
    if (first && !givenUp) {
      output.giveUpAfter(limit);
    }
    closing = true;
    wake();
    LockSupport.unpark(thread);
    boolean done = !thread.isAlive();
    try {
      // A reader that took nothing while the directory was let go of has had its time.
      done = done || thread.join(first && givenUp ? GATHER : limit.plus(GATHER));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (first) {
      sayLastWords(done && !output.expired());
    }
  }

  private void sayLastWords(boolean done) {
    if (!done) {
      lastWords.accept(
          "standard output was not read in time: not written: up to %d bytes of lines, %d of the agent's own log lines, the rest of the records of %d processes"
              .formatted(output.inFlight(), log.size(), source.open()));
    } else if (!drops.open().none()) {
      // The thread has ended, so what it owned can be read here.
      lastWords.accept("standard output: " + drops.open() + why());
    }
  }

  private String why() {
    var failure = output.failure();
    return failure == null ? "" : " (" + failure + ")";
  }

  private void run() {
    while (true) {
      boolean last = closing;
      var leaving = lettingGo;
      news.set(false);
      if (!held) {
        open();
      }
      while (round() && !output.expired()) {
        // more at once
      }
      flush();
      if (leaving != null) {
        ledger.close();
        lettingGo = null;
        leaving.countDown();
      }
      if (last) {
        tellDrops(); // of what was lost before the batch that has just left
        buffer.flush();
        if (!output.finish()) {
          drops.add(new RecordDrops.Counts(1, 0, 0)); // a line that was begun
        }
        return;
      }
      awaitNews();
    }
  }

  private void awaitNews() {
    for (int i = 0; i < LINGER; i++) {
      gather();
      if (news.get() || closing || lettingGo != null) {
        return;
      }
    }
    asleep = true;
    while (!news.get() && !closing) {
      LockSupport.park(this);
    }
    asleep = false;
    gather();
  }

  private void gather() {
    long until = System.nanoTime() + GATHER.toNanos();
    for (long left = GATHER.toNanos(); left > 0 && !closing; left = until - System.nanoTime()) {
      LockSupport.parkNanos(this, left);
    }
  }

  private boolean round() {
    boolean more = logLines();
    more |= source.emit();
    tellDrops();
    return more;
  }

  private boolean logLines() {
    for (int i = 0; i < LOG_LINES; i++) {
      try {
        byte[] line = log.poll();
        if (line == null) {
          return false;
        }
        buffer.line(line);
      } catch (RuntimeException e) {
        // A line that its encoder cannot write must not end all others.
        lastWords.accept("a log line could not be written: " + e);
        elsewhere.accumulateAndGet(new RecordDrops.Counts(0, 1, 0), RecordDrops.Counts::plus);
      }
    }
    return true;
  }

  private void tellDrops() {
    var news = elsewhere.getAndSet(RecordDrops.Counts.NONE);
    long logLines = log.takeDropped();
    if (logLines > 0) {
      news = news.plus(new RecordDrops.Counts(0, logLines, 0));
    }
    if (!news.none()) {
      drops.add(news);
      counters.dropped(news.lines(), news.logLines(), news.processes());
    }
    // While batches are lost this one would be too; the next that leaves shows that telling makes
    // sense again.
    if (!lossy && !drops.untold().none()) {
      buffer.flush();
      if (!lossy) {
        encoder.dropped(drops.tell(), clock.instant());
      }
    }
  }

  /// The batch leaves, and what changed without a record is kept.
  void flush() {
    if (ledger.full()) {
      open(); // nothing may be kept before that, and no more be remembered
    }
    buffer.flush();
    if (!held && !output.gaveUp()) {
      open();
      ledger.settle();
    }
  }

  /// Repeats what the agent before this one may or may not have written, before anything else is.
  void open() {
    while (held && !closing) {
      LockSupport.park(this);
    }
    if (!ledger.takeRepeats()) {
      return;
    }
    byte[] lines = ledger.pending();
    // Ends what may be half a line. It is only ever this one that is lost with it.
    byte[] first = RecordEncoder.repeated(RecordBuffer.lines(lines), clock.instant());
    output.write(first, first.length);
    output.write(lines, lines.length);
    counters.written(first.length + lines.length);
    if (!output.gaveUp()) {
      ledger.repeated();
    }
  }

  private void drain(byte[] bytes, int length) {
    open();
    if (output.gaveUp() && ledger.active()) {
      return; // They are not lost: the next agent makes them again.
    }
    var lines = ledger.stage(bytes, length);
    int lost = output.write(bytes, length, lines, ledger);
    counters.written(output.written());
    if (!output.gaveUp()) {
      ledger.left(output.torn());
    }
    boolean before = lossy;
    lossy = output.failing();
    // If the last news went into this batch, they are its first line.
    int news = 0;
    if (output.began()) {
      drops.left();
    } else {
      news = drops.lost();
    }
    if (lost > news) {
      drops.add(new RecordDrops.Counts(lost - news, 0, 0));
      counters.dropped(lost - news, 0, 0);
    }
    if (before && !lossy) {
      wake(); // there is something to tell
    }
  }
}
