package dev.sandpiper.agent.telemetry;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// The agent's own log lines on their way to standard output.
///
/// Bound: [#MOST_LINES] lines and [#MOST_CHARACTERS] characters of message. Full: the new line is dropped and counted.
/// Offering waits for nobody. Lines become JSON only when they are taken, on the one thread that writes, so that the
/// encoder's classes (most of what logging costs at start-up) load beside the start and not within it.
public final class LogQueue {
  static final int MOST_LINES = 4096;
  static final long MOST_CHARACTERS = 1024 * 1024;

  private final Function<ILoggingEvent, byte[]> encoder;
  private final ConcurrentLinkedQueue<ILoggingEvent> events = new ConcurrentLinkedQueue<>();
  private final AtomicInteger lines = new AtomicInteger();
  private final AtomicLong characters = new AtomicLong();
  private final AtomicLong dropped = new AtomicLong();
  private volatile Runnable onLine = () -> {};
  private volatile @Nullable LogTap tap;

  LogQueue(Function<ILoggingEvent, byte[]> encoder) {
    this.encoder = encoder;
  }

  /// Sets what is called, on the logging thread, for each line: it must be cheap and wait for nobody.
  public void onLine(Runnable wake) {
    onLine = wake;
    if (!events.isEmpty()) {
      wake.run();
    }
  }

  /// Sets who is handed every line too, whether the queue has room for it or not.
  public void tap(LogTap reader) {
    tap = reader;
  }

  private static void tell(ILoggingEvent event, LogTap reader) {
    Instant at = event.getInstant();
    IThrowableProxy thrown = event.getThrowableProxy();
    reader.line(
        ChronoUnit.MICROS.between(Instant.EPOCH, at),
        event.getLevel().toString(),
        event.getLoggerName(),
        event.getFormattedMessage(),
        thrown == null ? null : ThrowableProxyUtil.asString(thrown));
  }

  void offer(ILoggingEvent event) {
    // Forms the message and takes the thread's name and context now: all three may change until it
    // is taken.
    event.prepareForDeferredProcessing();
    LogTap reader = tap;
    if (reader != null) {
      tell(event, reader);
    }
    int size = event.getFormattedMessage().length();
    boolean fits = lines.incrementAndGet() <= MOST_LINES;
    fits &= characters.addAndGet(size) <= MOST_CHARACTERS;
    if (!fits) {
      release(size);
      dropped.incrementAndGet();
    } else {
      events.add(event);
    }
    onLine.run();
  }

  private void release(int size) {
    lines.decrementAndGet();
    characters.addAndGet(-size);
  }

  /// The next line as JSON with its line end, or null when there is none now. One thread only.
  public byte @Nullable [] poll() {
    var event = events.poll();
    if (event == null) {
      return null;
    }
    release(event.getFormattedMessage().length());
    return encoder.apply(event);
  }

  public boolean isEmpty() {
    return events.isEmpty() && dropped.get() == 0;
  }

  /// Lines that wait.
  public int size() {
    return events.size();
  }

  /// How many lines were dropped since this was asked last.
  public long takeDropped() {
    return dropped.getAndSet(0);
  }
}
