package dev.sandpiper.agent.output;

import static dev.sandpiper.agent.output.LogFixture.ONE;
import static dev.sandpiper.agent.output.StreamName.STDOUT;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.output.Cursor.Step;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.locks.LockSupport;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(600)
class SlowReaderMemoryTest {
  private static final long MIB = 1 << 20;

  @TempDir Path directory;

  @Test
  void memoryStaysFlatWhileASlowReaderGetsEverything() throws Exception {
    long bytes = (Report.proof() ? 2048 : 64) * MIB;
    try (LogFixture fixture =
        new LogFixture(directory, LogFixture.retention(8 * MIB, Duration.ofSeconds(20)))) {
      OutputLog log = fixture.store.create("slow", ONE);
      fixture.attachShell(log, STDOUT, "head -c " + bytes + " /dev/zero");
      Cursor cursor = log.cursor(Position.BEGINNING, Promise.EVERYTHING);
      Semaphore woken = new Semaphore(0);
      cursor.onWake(woken::release);
      ByteBuffer buffer = ByteBuffer.allocateDirect(32 * 1024);
      CRC32C checksum = new CRC32C();
      long read = 0;
      long first = 0;
      long most = 0;
      long mostOnDisk = 0;
      boolean drained = false;
      while (!drained) {
        switch (cursor.peek(buffer.capacity())) {
          case Step.Data data -> {
            cursor.read(buffer.clear());
            checksum.update(buffer.flip());
            cursor.advance(data.length());
            read += data.length();
            if (read % (bytes / 16) < data.length()) {
              // Slower than the command, and a moment to look around.
              LockSupport.parkNanos(20_000_000);
              long used = memory();
              first = first == 0 ? used : first;
              most = Math.max(most, used);
              mostOnDisk = Math.max(mostOnDisk, log.retainedBytes());
            }
          }
          case Step.Idle _ -> woken.acquire();
          case Step.Drained _ -> drained = true;
          case Step other -> throw new AssertionError(other);
        }
      }
      cursor.close();
      assertThat(read).isEqualTo(bytes);
      assertThat(checksum.getValue()).isEqualTo(checksumOfZeros(bytes));
      assertThat(mostOnDisk).isLessThanOrEqualTo(8 * MIB);
      assertThat(fixture.store.counters().holds()).as("the reader was the slower one").isPositive();
      Report.say(
          "slow reader: %d MiB, heap and direct memory from %d to at most %d KiB, at most %d KiB on"
              + " disk",
          bytes / MIB, first / 1024, most / 1024, mostOnDisk / 1024);
      assertThat(most - first).isLessThan(4 * MIB);
    }
  }

  private static long checksumOfZeros(long bytes) {
    CRC32C checksum = new CRC32C();
    byte[] zeros = new byte[(int) MIB];
    for (long left = bytes; left > 0; left -= zeros.length) {
      checksum.update(zeros);
    }
    return checksum.getValue();
  }

  private static long memory() {
    System.gc();
    long direct = 0;
    for (BufferPoolMXBean pool : ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class)) {
      direct += pool.getMemoryUsed();
    }
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory() + direct;
  }
}
