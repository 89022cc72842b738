package dev.sandpiper.agent.output;

import static dev.sandpiper.agent.output.LogFixture.ONE;
import static dev.sandpiper.agent.output.StreamName.PTY;
import static dev.sandpiper.agent.output.StreamName.STDOUT;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.output.Cursor.Step;
import dev.sandpiper.agent.output.LogFixture.Printer;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Terminals;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class FairnessTest {
  /// What pipe2(2) makes.
  private static final long PIPE_BYTES = 64 * 1024;

  @TempDir Path directory;

  /// One printer keeps hundreds of pipes full; another stream prints a byte now and then.
  @Test
  void quietStreamIsHeardAmongNoisyOnes() throws Exception {
    int noisy = Report.proof() ? 1_000 : 200;
    OutputSettings settings =
        new OutputSettings(1 << 20, 512 << 20, 10, true, Duration.ofSeconds(5));
    try (LogFixture fixture = new LogFixture(directory, settings)) {
      List<Integer> pipes = new ArrayList<>();
      for (int i = 0; i < noisy; i++) {
        int[] fds = new int[2];
        LogFixture.check(Posix.pipe2(fds, Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK));
        fixture
            .store
            .create("noisy" + i, ONE)
            .attach(STDOUT, new OutputSource.Pipe(fds[0], () -> {}));
        pipes.add(fds[1]);
      }
      AtomicBoolean enough = new AtomicBoolean();
      Thread printer =
          Thread.ofPlatform()
              .start(() -> {
                ByteBuffer bytes = ByteBuffer.allocateDirect(4096);
                while (!enough.get()) {
                  for (int pipe : pipes) {
                    Posix.write(pipe, bytes.clear());
                  }
                }
              });
      OutputLog quiet = fixture.store.create("quiet", ONE);
      Printer out = fixture.attach(quiet, STDOUT);
      Reading reading = new Reading(quiet.cursor(Position.BEGINNING, Promise.EVERYTHING));
      long[] delays = new long[Report.proof() ? 200 : 60];
      long[] movedMeanwhile = new long[delays.length];
      for (int i = 0; i < delays.length; i++) {
        long begun = System.nanoTime();
        long written = fixture.store.counters().writtenBytes();
        out.print("x");
        int expected = i + 1;
        reading.until(_ -> reading.cursor.offset(STDOUT) == expected);
        delays[i] = System.nanoTime() - begun;
        movedMeanwhile[i] = fixture.store.counters().writtenBytes() - written;
      }
      enough.set(true);
      printer.join();
      out.close();
      reading.untilDrained();
      reading.close();
      pipes.forEach(Posix::close);
      Arrays.sort(delays);
      Arrays.sort(movedMeanwhile);
      Report.say(
          "a quiet stream among %d noisy ones: p50 %.1f ms, worst %.1f ms; %d MiB moved meanwhile",
          noisy,
          delays[delays.length / 2] / 1e6,
          delays[delays.length - 1] / 1e6,
          fixture.store.counters().writtenBytes() >> 20);
      // Its turn comes after a few rounds in which every other stream moves a whole pipe, however
      // long those take.
      assertThat(movedMeanwhile[delays.length / 2]).isLessThan(4L * noisy * PIPE_BYTES);
    }
  }

  /// splice(2) from a terminal straight into a file is refused, as it is on file systems that do not know it.
  @Test
  void whereSpliceIsRefusedBytesAreCopiedAndTheLogSaysSo() throws Exception {
    try (LogFixture fixture = new LogFixture(directory, OutputSettings.DEFAULT)) {
      OutputLog log = fixture.store.create("copied", EnumSet.of(PTY));
      int master = LogFixture.check(Terminals.openMaster());
      int slave =
          LogFixture.check(
              Posix.open(
                  "/dev/pts/" + Terminals.slaveNumber(master),
                  Fcntl.O_RDWR | Fcntl.O_NOCTTY | Fcntl.O_CLOEXEC,
                  0));
      log.attach(PTY, new OutputSource.Pipe(master, () -> {}));
      Reading reading = new Reading(log.cursor(Position.BEGINNING, Promise.EVERYTHING));
      byte[] text = "0123456789".repeat(10_000).getBytes(java.nio.charset.StandardCharsets.UTF_8);
      ByteBuffer direct = ByteBuffer.allocateDirect(text.length).put(text).flip();
      while (direct.hasRemaining()) {
        LogFixture.check((int) Posix.write(slave, direct));
      }
      reading.until(_ -> reading.cursor.offset(PTY) == text.length);
      assertThat(reading.of(PTY)).isEqualTo(text);
      assertThat(log.crashExact()).isFalse();
      reading.close();
      log.delete();
      assertThat(reading.steps).noneMatch(Step.Gap.class::isInstance);
      Posix.close(slave);
    }
  }
}
