package dev.sandpiper.agent.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The input of processes that do not read it.
class InputQueueTest {
  private static final int LIMIT = 1 << 20;

  @TempDir Path directory;
  private final BlockingQueue<InputOutcome> outcomes = new ArrayBlockingQueue<>(10);
  private ProcessFixture fixture;

  @BeforeEach
  void start() throws Exception {
    fixture =
        new ProcessFixture(
            directory,
            new ProcessSettings(
                Duration.ofSeconds(2),
                Duration.ofSeconds(30),
                100,
                LIMIT,
                Duration.ofMillis(300),
                Duration.ofMillis(100),
                OnStop.STOP));
  }

  @AfterEach
  void stop() throws Exception {
    fixture.stop();
  }

  @Test
  void aWriteToAFullPipeIsAnsweredWithWhatWasTaken() throws Exception {
    ManagedProcess process = fixture.shell("sleep 60");

    process.write(new byte[800_000], outcomes::add);

    assertThat(next())
        .isInstanceOfSatisfying(
            InputOutcome.Stalled.class,
            stalled -> {
              assertThat(stalled.totalBytes()).isEqualTo(800_000);
              assertThat(stalled.acceptedBytes()).isBetween(4_096, 799_999);
            });
  }

  @Test
  void whatDoesNotFitIsRefusedWhole() throws Exception {
    ManagedProcess process = fixture.shell("sleep 60");

    process.write(new byte[LIMIT], outcomes::add);
    process.write(new byte[LIMIT], outcomes::add);

    assertThat(next()).isInstanceOf(InputOutcome.QueueFull.class);
    assertThat(next()).isInstanceOf(InputOutcome.Stalled.class);
  }

  @Test
  void closingDoesNotWaitForAFullPipe() throws Exception {
    ManagedProcess process = fixture.shell("sleep 60");
    process.write(new byte[800_000], outcomes::add);

    process.closeInput();

    assertThat(process.acceptsInput()).isFalse();
  }

  @Test
  void theEndOfTheProcessAnswersWhatWaits() throws Exception {
    ManagedProcess process = fixture.shell("sleep 60");
    process.write(new byte[800_000], outcomes::add);

    process.signal(9);

    // Closed: the exit may be noticed before the write is.
    assertThat(next())
        .isInstanceOfAny(
            InputOutcome.Failed.class, InputOutcome.Stalled.class, InputOutcome.Closed.class);
  }

  @Test
  void aReaderThatLeavesIsReported() throws Exception {
    ManagedProcess process = fixture.shell("exec 0<&-; echo closed; sleep 60");
    ProcessManagerTest.awaitOutput(process);

    process.write(new byte[] {1}, outcomes::add);

    assertThat(next())
        .isInstanceOfSatisfying(
            InputOutcome.Failed.class,
            failed -> assertThat(failed.error()).containsIgnoringCase("pipe"));
  }

  private InputOutcome next() throws InterruptedException {
    InputOutcome outcome = outcomes.poll(60, TimeUnit.SECONDS);
    assertThat(outcome).as("an answer within 20 s").isNotNull();
    return outcome;
  }
}
