package dev.sandpiper.agent.output;

import static dev.sandpiper.agent.output.LogFixture.BOTH;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.output.LogFixture.Printer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class WakeUpTest {
  @TempDir Path directory;

  /// Readers that find nothing just when something comes: a lost wake-up would leave one waiting for ever.
  @Test
  void noWakeUpIsLost() throws Exception {
    int rounds = Report.proof() ? 200 : 20;
    long seed = System.nanoTime();
    Random random = new Random(seed);
    try (LogFixture fixture = new LogFixture(directory, LogFixture.retention(16 << 20))) {
      for (int round = 0; round < rounds; round++) {
        OutputLog log = fixture.store.create("wake" + round, BOTH);
        Printer out = fixture.attach(log, StreamName.STDOUT);
        Printer err = fixture.attach(log, StreamName.STDERR);
        List<CompletableFuture<Integer>> readers = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
          Reading reading = new Reading(log.cursor(Position.BEGINNING, Promise.EVERYTHING), 64);
          CompletableFuture<Integer> done = new CompletableFuture<>();
          readers.add(done);
          Thread.ofVirtual()
              .start(() -> {
                try {
                  reading.until(step -> step instanceof Cursor.Step.Mark);
                  reading.cursor.skipMark();
                  reading.untilDrained();
                  reading.close();
                  done.complete(
                      reading.of(StreamName.STDOUT).length + reading.of(StreamName.STDERR).length);
                } catch (Throwable failure) {
                  done.completeExceptionally(failure);
                }
              });
        }
        int pieces = 300;
        for (int i = 0; i < pieces; i++) {
          (random.nextBoolean() ? out : err).print("x");
          for (int spin = random.nextInt(2_000); spin > 0; spin--) {
            Thread.onSpinWait();
          }
        }
        if (random.nextBoolean()) {
          log.markEnd();
        }
        out.close();
        err.close();
        log.onDrained(log::markEnd);
        for (CompletableFuture<Integer> reader : readers) {
          assertThat(reader.get(60, TimeUnit.SECONDS))
              .as("seed %d, round %d", seed, round)
              .isEqualTo(pieces);
        }
        log.delete();
      }
    }
    Report.say("wake-ups: %d rounds, seed %d", rounds, seed);
  }
}
