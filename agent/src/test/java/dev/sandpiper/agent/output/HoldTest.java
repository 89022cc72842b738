package dev.sandpiper.agent.output;

import static dev.sandpiper.agent.output.LogFixture.ONE;
import static dev.sandpiper.agent.output.StreamName.STDOUT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.output.Cursor.Step;
import dev.sandpiper.agent.output.LogFixture.Printer;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class HoldTest {
  private static final int RETENTION = 1 << 20;

  /// A stall limit that no test reaches, however busy the machine is.
  private static final Duration LONG = Duration.ofMinutes(10);

  private static final int PRINTED = 16 << 20;

  @TempDir Path directory;

  /// Prints [#PRINTED] numbered bytes and closes; completes with the longest wait for one write in milliseconds.
  private static CompletableFuture<Long> printing(Printer out) {
    CompletableFuture<Long> done = new CompletableFuture<>();
    Thread.ofPlatform()
        .start(() -> {
          long worst = 0;
          for (int at = 0; at < PRINTED; at += 64 * 1024) {
            byte[] bytes = Numbered.bytes(at, 64 * 1024);
            long begun = System.nanoTime();
            out.print(bytes);
            worst = Math.max(worst, System.nanoTime() - begun);
          }
          out.close();
          done.complete(TimeUnit.NANOSECONDS.toMillis(worst));
        });
    return done;
  }

  private static CompletableFuture<Reading> readingAll(OutputLog log) {
    Reading reading = new Reading(log.cursor(Position.BEGINNING, Promise.EVERYTHING));
    CompletableFuture<Reading> done = new CompletableFuture<>();
    Thread.ofPlatform()
        .start(() -> {
          try {
            reading.untilDrained();
            done.complete(reading);
          } catch (Throwable failure) {
            done.completeExceptionally(failure);
          }
        });
    return done;
  }

  private static void assertComplete(Reading reading) {
    assertThat(reading.gaps()).isEmpty();
    assertThat(reading.of(STDOUT)).hasSize(PRINTED);
    assertThat(Numbered.firstDifference(reading.of(STDOUT), 0)).isEqualTo(-1);
    reading.close();
  }

  @Test
  void clientThatStopsReadingIsEndedAfterTheStallLimitAndTheSecondGetsEverything()
      throws Exception {
    Duration limit = Duration.ofMillis(500);
    try (LogFixture fixture = new LogFixture(directory, LogFixture.retention(RETENTION, limit))) {
      OutputLog log = fixture.store.create("dead", ONE);
      Printer out = fixture.attach(log, STDOUT);
      Cursor dead = log.cursor(Position.BEGINNING, Promise.EVERYTHING);
      CountDownLatch told = new CountDownLatch(1);
      AtomicInteger wakes = new AtomicInteger();
      dead.onWake(() -> {
        wakes.incrementAndGet();
        told.countDown();
      });
      CompletableFuture<Reading> second = readingAll(log);
      CompletableFuture<Long> printed = printing(out);
      long worst = printed.get(60, TimeUnit.SECONDS);
      assertComplete(second.get(60, TimeUnit.SECONDS));
      assertThat(told.await(60, TimeUnit.SECONDS)).as("the dead one is woken to be told").isTrue();
      assertThat(dead.peek()).isEqualTo(new Step.Stalled(STDOUT, 0));
      assertThat(fixture.store.counters().stalledReaders()).isEqualTo(1);
      Report.say(
          "dead client: the command waited at most %d ms for one write (stall limit %d ms)",
          worst, limit.toMillis());
      assertThat(worst).isBetween(limit.toMillis() / 2, limit.toMillis() * 20);
      dead.close();
    }
  }

  @Test
  void clientThatPausesAndGoesOnGetsEveryByte() throws Exception {
    try (LogFixture fixture = new LogFixture(directory, LogFixture.retention(RETENTION, LONG))) {
      OutputLog log = fixture.store.create("pause", ONE);
      Printer out = fixture.attach(log, STDOUT);
      Reading reading = new Reading(log.cursor(Position.BEGINNING, Promise.EVERYTHING));
      CompletableFuture<Long> printed = printing(out);
      // It reads a little, then nothing until the command is held, again and again.
      for (int pause = 1; pause <= 3; pause++) {
        long from = reading.cursor.offset(STDOUT);
        // Before it reads: the command may be held again before this thread looks.
        long holds = fixture.store.counters().holds();
        reading.until(_ -> reading.cursor.offset(STDOUT) > from + 2_000_000);
        await().until(() -> fixture.store.counters().holds() > holds);
        assertThat(printed).isNotDone();
      }
      reading.untilDrained();
      assertThat(printed).succeedsWithin(60, TimeUnit.SECONDS);
      assertComplete(reading);
      assertThat(fixture.store.counters().stalledReaders()).isZero();
      assertThat(fixture.store.counters().droppedBytes()).isGreaterThan(PRINTED - 2 * RETENTION);
    }
  }

  @Test
  void slowClientThatMakesProgressIsNotEnded() throws Exception {
    Duration limit = Duration.ofSeconds(1);
    try (LogFixture fixture = new LogFixture(directory, LogFixture.retention(RETENTION, limit))) {
      OutputLog log = fixture.store.create("slow", ONE);
      Printer out = fixture.attach(log, STDOUT);
      Reading reading = new Reading(log.cursor(Position.BEGINNING, Promise.EVERYTHING));
      CompletableFuture<Long> printed = printing(out);
      long until = System.nanoTime() + limit.toNanos() * 3;
      while (System.nanoTime() < until) {
        long from = reading.cursor.offset(STDOUT);
        reading.until(_ -> reading.cursor.offset(STDOUT) > from + 300_000);
        LockSupport.parkNanos(limit.toNanos() / 10);
      }
      assertThat(printed).as("held all that time").isNotDone();
      reading.untilDrained();
      assertComplete(reading);
      assertThat(fixture.store.counters().stalledReaders()).isZero();
    }
  }

  @Test
  void closingAReaderReleasesItsHoldAtOnce() throws Exception {
    try (LogFixture fixture = new LogFixture(directory, LogFixture.retention(RETENTION, LONG))) {
      OutputLog log = fixture.store.create("close", ONE);
      Printer out = fixture.attach(log, STDOUT);
      Cursor holding = log.cursor(Position.BEGINNING, Promise.EVERYTHING);
      CompletableFuture<Long> printed = printing(out);
      await().until(() -> fixture.store.counters().holds() > 0);
      assertThat(printed).isNotDone();
      holding.close();
      assertThat(printed).succeedsWithin(60, TimeUnit.SECONDS);
      assertThat(fixture.store.counters().stalledReaders()).isZero();
    }
  }

  @Test
  void withoutHoldingTheClientThatFallsBehindIsEndedAtOnce() throws Exception {
    OutputSettings settings = new OutputSettings(RETENTION, 4 * RETENTION, 10, false, LONG);
    try (LogFixture fixture = new LogFixture(directory, settings)) {
      OutputLog log = fixture.store.create("nohold", ONE);
      Printer out = fixture.attach(log, STDOUT);
      Cursor behind = log.cursor(Position.BEGINNING, Promise.EVERYTHING);
      assertThat(printing(out)).succeedsWithin(60, TimeUnit.SECONDS);
      assertThat(behind.peek()).isEqualTo(new Step.Stalled(STDOUT, 0));
      assertThat(fixture.store.counters().holds()).isZero();
      behind.close();
    }
  }

  @Test
  void readerWithoutPromiseHoldsNobody() throws Exception {
    try (LogFixture fixture = new LogFixture(directory, LogFixture.retention(RETENTION, LONG))) {
      OutputLog log = fixture.store.create("best", ONE);
      Printer out = fixture.attach(log, STDOUT);
      Reading behind = new Reading(log.cursor(Position.BEGINNING, Promise.BEST_EFFORT));
      assertThat(printing(out)).succeedsWithin(60, TimeUnit.SECONDS);
      behind.untilDrained();
      // One gap, or more where the tail was still on its way from the pipe into the log.
      assertThat(behind.gaps()).isNotEmpty();
      assertThat(behind.gaps().getFirst().start()).isZero();
      long missed = behind.gaps().stream().mapToLong(gap -> gap.end() - gap.start()).sum();
      assertThat(behind.of(STDOUT).length + missed).isEqualTo(PRINTED);
      behind.close();
    }
  }

  @Test
  void heldStreamWhoseCommandIsGoneCostsNoCpu() throws Exception {
    try (LogFixture fixture = new LogFixture(directory, LogFixture.retention(64 * 1024, LONG))) {
      OutputLog log = fixture.store.create("hup", ONE);
      Printer out = fixture.attach(log, STDOUT);
      Reading holding = new Reading(log.cursor(Position.BEGINNING, Promise.EVERYTHING));
      // As much as log and pipe take together, then the writer goes.
      out.print(Numbered.bytes(0, 64 * 1024 + 100_000));
      await().until(() -> fixture.store.counters().holds() > 0);
      out.close();
      long before = cpuNanosOfTheLoop();
      LockSupport.parkNanos(500_000_000);
      long used = cpuNanosOfTheLoop() - before;
      assertThat(used).as("CPU time in half a second").isLessThan(50_000_000);
      holding.untilDrained();
      assertThat(holding.of(STDOUT)).hasSize(64 * 1024 + 100_000);
      assertThat(Numbered.firstDifference(holding.of(STDOUT), 0)).isEqualTo(-1);
      holding.close();
    }
  }

  static long cpuNanosOfTheLoop() {
    var threads = ManagementFactory.getThreadMXBean();
    long nanos = 0;
    for (Thread thread : Thread.getAllStackTraces().keySet()) {
      if (thread.getName().equals("pipes")) {
        nanos += Math.max(0, threads.getThreadCpuTime(thread.threadId()));
      }
    }
    return nanos;
  }
}
