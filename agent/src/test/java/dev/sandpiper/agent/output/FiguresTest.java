package dev.sandpiper.agent.output;

import static dev.sandpiper.agent.output.LogFixture.ONE;
import static dev.sandpiper.agent.output.StreamName.STDOUT;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.output.Cursor.Step;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Prints what moving bytes costs; asserts only what would be off by far.
@Timeout(120)
class FiguresTest {
  private static final long MIB = 1 << 20;

  @TempDir Path directory;
  private LogFixture fixture;

  @BeforeEach
  void open() {
    fixture =
        new LogFixture(
            directory, new OutputSettings(64 * MIB, 1024 * MIB, 10, true, Duration.ofSeconds(5)));
  }

  @AfterEach
  void close() {
    fixture.close();
  }

  private static long cpuNanos() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
        .getProcessCpuTime();
  }

  /// Reads to the end, on this thread. Returns the bytes.
  private static long readAll(OutputLog log, int chunk) throws InterruptedException {
    Cursor cursor = log.cursor(Position.BEGINNING, Promise.EVERYTHING);
    Semaphore woken = new Semaphore(0);
    cursor.onWake(woken::release);
    ByteBuffer buffer = ByteBuffer.allocateDirect(chunk);
    long total = 0;
    while (true) {
      switch (cursor.peek(chunk)) {
        case Step.Data data -> {
          cursor.read(buffer.clear());
          cursor.advance(data.length());
          total += data.length();
        }
        case Step.Idle _ -> woken.acquire();
        case Step.Drained _ -> {
          cursor.close();
          return total;
        }
        case Step other -> throw new AssertionError(other);
      }
    }
  }

  @Test
  void bulkOutputGoesThroughAtHundredsOfMebibytesASecond() throws Exception {
    long bytes = (Report.proof() ? 2048 : 256) * MIB;
    for (int round = 0; round < 3; round++) {
      OutputLog log = fixture.store.create("bulk" + round, ONE);
      long cpu = cpuNanos();
      long begun = System.nanoTime();
      fixture.attachShell(log, STDOUT, "head -c " + bytes + " /dev/zero");
      assertThat(readAll(log, 32 * 1024)).isEqualTo(bytes);
      double seconds = (System.nanoTime() - begun) / 1e9;
      double cpuPerGib = (cpuNanos() - cpu) / 1e9 / (bytes / (double) (1 << 30));
      Report.say("bulk: %.0f MiB/s, %.2f CPU s/GiB", bytes / (double) MIB / seconds, cpuPerGib);
      log.delete();
    }
  }

  @Test
  void linesAreMovedManyAtATime() throws Exception {
    int lines = Report.proof() ? 2_000_000 : 300_000;
    for (int round = 0; round < 3; round++) {
      OutputLog log = fixture.store.create("lines" + round, ONE);
      long cpu = cpuNanos();
      long begun = System.nanoTime();
      fixture.attachShell(
          log,
          STDOUT,
          "l="
              + "x".repeat(79)
              + "; i=0; while [ $i -lt "
              + lines / 10
              + " ]; do echo $l; echo $l; echo $l; echo $l; echo $l;"
              + " echo $l; echo $l; echo $l; echo $l; echo $l; i=$((i+1)); done");
      assertThat(readAll(log, 32 * 1024)).isEqualTo(lines * 80L);
      double seconds = (System.nanoTime() - begun) / 1e9;
      Report.say(
          "lines: %.0f lines/s, %.2f CPU us/line",
          lines / seconds, (cpuNanos() - cpu) / 1e3 / lines);
      log.delete();
    }
  }

  @Test
  void idleStreamsTakeLittleMemoryAndNoCpu() throws Exception {
    int processes = 1_000;
    warm();
    long heap = usedHeap();
    List<OutputLog> logs = new ArrayList<>();
    List<Integer> writers = new ArrayList<>();
    for (int i = 0; i < processes; i++) {
      OutputLog log = fixture.store.create("idle" + i, LogFixture.BOTH);
      for (StreamName stream : LogFixture.BOTH) {
        int[] fds = new int[2];
        LogFixture.check(Posix.pipe2(fds, Fcntl.O_CLOEXEC));
        Posix.setNonBlocking(fds[0], true);
        log.attach(stream, new OutputSource.Pipe(fds[0], () -> {}));
        writers.add(fds[1]);
      }
      logs.add(log);
    }
    long perProcess = (usedHeap() - heap) / processes;
    long cpu = HoldTest.cpuNanosOfTheLoop();
    java.util.concurrent.locks.LockSupport.parkNanos(1_000_000_000);
    long used = HoldTest.cpuNanosOfTheLoop() - cpu;
    Report.say(
        "idle: %d bytes of heap per process with two streams, %d us CPU in 1 s for %d",
        perProcess, used / 1000, processes);
    assertThat(perProcess).isLessThan(3_000);
    assertThat(used).isLessThan(50_000_000);
    assertThat(fixture.files()).isEmpty();
    assertThat(logs).hasSize(processes);
    writers.forEach(Posix::close);
  }

  private void warm() throws Exception {
    OutputLog log = fixture.store.create("warm", ONE);
    LogFixture.Printer out = fixture.attach(log, STDOUT);
    out.print("x");
    out.close();
    readAll(log, 1024);
    log.delete();
  }

  private static long usedHeap() throws InterruptedException {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 5; i++) {
      System.gc();
      java.util.concurrent.locks.LockSupport.parkNanos(50_000_000);
      least =
          Math.min(least, Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory());
    }
    return least;
  }
}
