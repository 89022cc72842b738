package dev.sandpiper.agent.output;

import static dev.sandpiper.agent.output.LogFixture.check;
import static dev.sandpiper.agent.output.StreamName.PTY;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Terminals;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class TerminalTest {
  @TempDir Path directory;

  private static void write(int fd, byte[] bytes) {
    ByteBuffer direct = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
    while (direct.hasRemaining()) {
      check((int) Posix.write(fd, direct));
    }
  }

  private static void write(int fd, String text) {
    write(fd, text.getBytes(StandardCharsets.UTF_8));
  }

  private static int slave(int master) {
    int number = check(Terminals.slaveNumber(master));
    return check(
        Posix.open("/dev/pts/" + number, Fcntl.O_RDWR | Fcntl.O_NOCTTY | Fcntl.O_CLOEXEC, 0));
  }

  @Test
  void terminalIsReadToItsLastByteThroughItsFifo() throws Exception {
    try (LogFixture fixture = new LogFixture(directory, OutputSettings.DEFAULT)) {
      OutputLog log = fixture.store.create("tty", EnumSet.of(PTY));
      int master = check(Terminals.openMaster());
      int slave = slave(master);
      int[] fifo = new int[2];
      check(Posix.pipe2(fifo, Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK));
      write(fifo[1], "left by the agent before|");
      CompletableFuture<Boolean> drained = new CompletableFuture<>();
      log.attach(
          PTY, new OutputSource.Terminal(master, fifo[0], fifo[1], () -> drained.complete(true)));
      Reading reading = new Reading(log.cursor(Position.BEGINNING, Promise.EVERYTHING));
      reading.until(_ -> reading.cursor.offset(PTY) == 25);
      write(slave, "first|");
      reading.until(_ -> reading.cursor.offset(PTY) == 31);
      write(slave, "x".repeat(100_000));
      write(slave, "|last");
      Posix.close(slave);
      reading.untilDrained();
      assertThat(reading.text(PTY))
          .isEqualTo("left by the agent before|first|" + "x".repeat(100_000) + "|last");
      assertThat(drained.get(60, TimeUnit.SECONDS)).isTrue();
      assertThat(log.crashExact()).isTrue();
      reading.close();
    }
  }

  @Test
  void heldTerminalGoesOnWhenItsReaderDoes() throws Exception {
    try (LogFixture fixture =
        new LogFixture(directory, LogFixture.retention(64 * 1024, Duration.ofSeconds(20)))) {
      OutputLog log = fixture.store.create("tty", EnumSet.of(PTY));
      int master = check(Terminals.openMaster());
      int slave = slave(master);
      int[] fifo = new int[2];
      check(Posix.pipe2(fifo, Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK));
      log.attach(PTY, new OutputSource.Terminal(master, fifo[0], fifo[1], () -> {}));
      Reading reading = new Reading(log.cursor(Position.BEGINNING, Promise.EVERYTHING));
      CompletableFuture<Boolean> written = new CompletableFuture<>();
      Thread.ofPlatform()
          .start(() -> {
            for (int i = 0; i < 50; i++) {
              write(slave, Integer.toString(i % 10).repeat(10_000));
            }
            Posix.close(slave);
            written.complete(true);
          });
      org.awaitility.Awaitility.await().until(() -> fixture.store.counters().holds() > 0);
      assertThat(written).isNotDone();
      reading.untilDrained();
      StringBuilder expected = new StringBuilder();
      for (int i = 0; i < 50; i++) {
        expected.append(Integer.toString(i % 10).repeat(10_000));
      }
      assertThat(reading.text(PTY)).isEqualTo(expected.toString());
      reading.close();
    }
  }
}
