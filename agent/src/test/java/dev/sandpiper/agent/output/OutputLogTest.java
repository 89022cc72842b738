package dev.sandpiper.agent.output;

import static dev.sandpiper.agent.output.LogFixture.BOTH;
import static dev.sandpiper.agent.output.LogFixture.ONE;
import static dev.sandpiper.agent.output.StreamName.STDERR;
import static dev.sandpiper.agent.output.StreamName.STDOUT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.output.Cursor.Step;
import dev.sandpiper.agent.output.LogFixture.Printer;
import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class OutputLogTest {
  @TempDir Path directory;
  private LogFixture fixture;

  @BeforeEach
  void open() {
    fixture = new LogFixture(directory, LogFixture.retention(64 << 20));
  }

  @AfterEach
  void close() {
    fixture.close();
  }

  @Test
  void readerGetsWhatWasPrintedAndLearnsOfTheEnd() {
    OutputLog log = fixture.store.create("p1", BOTH);
    Printer out = fixture.attach(log, STDOUT);
    Printer err = fixture.attach(log, STDERR);
    try (Reading reading = new Reading(log.cursor(Position.BEGINNING, Promise.EVERYTHING))) {
      out.print("hello");
      out.close();
      err.close();
      reading.untilDrained();
      assertThat(reading.text(STDOUT)).isEqualTo("hello");
      log.markEnd();
      assertThat(reading.cursor.peek()).isEqualTo(new Step.Mark());
      reading.cursor.skipMark();
      assertThat(reading.cursor.peek()).isEqualTo(new Step.Drained());
    }
    assertThat(log.drained()).isTrue();
    assertThat(log.endOffset(STDOUT)).isEqualTo(5);
  }

  @Test
  void nothingIsCreatedForAProcessThatPrintsNothing() {
    OutputLog log = fixture.store.create("quiet", BOTH);
    Printer out = fixture.attach(log, STDOUT);
    Printer err = fixture.attach(log, STDERR);
    CompletableFuture<Boolean> drained = new CompletableFuture<>();
    log.onDrained(() -> drained.complete(true));
    out.close();
    err.close();
    assertThat(drained).succeedsWithin(60, TimeUnit.SECONDS);
    log.finish();
    assertThat(fixture.files()).isEmpty();
  }

  @Test
  void segmentsArePrivateAndNamedByProcessStreamAndOffset() throws Exception {
    OutputLog log = fixture.store.create("p-1_A", BOTH);
    try (Printer out = fixture.attach(log, STDOUT);
        Reading reading = new Reading(log.cursor(Position.BEGINNING, Promise.BEST_EFFORT))) {
      out.print("x");
      reading.until(step -> reading.cursor.offset(STDOUT) == 1);
      assertThat(fixture.files()).containsExactly("p-1_A.stdout.0");
      Path file = directory.resolve("p-1_A.stdout.0");
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
          .isEqualTo("rw-------");
    }
  }

  @Test
  void contentAndOrderSurviveRandomChunks() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    OutputLog log = fixture.store.create("random", BOTH);
    Printer out = fixture.attach(log, STDOUT);
    Printer err = fixture.attach(log, STDERR);
    ByteArrayOutputStream printedOut = new ByteArrayOutputStream();
    ByteArrayOutputStream printedErr = new ByteArrayOutputStream();
    Reading reading =
        new Reading(log.cursor(Position.BEGINNING, Promise.EVERYTHING), 1 + random.nextInt(50_000));
    Thread writer =
        Thread.ofPlatform()
            .start(() -> {
              for (int i = 0; i < 500; i++) {
                byte[] chunk = new byte[1 + random.nextInt(random.nextInt(40_000) + 1)];
                random.nextBytes(chunk);
                boolean toOut = random.nextInt(3) > 0;
                (toOut ? printedOut : printedErr).writeBytes(chunk);
                (toOut ? out : err).print(chunk);
              }
              out.close();
              err.close();
            });
    reading.untilDrained();
    assertThat(writer).isNotNull();
    assertThat(Arrays.equals(reading.of(STDOUT), printedOut.toByteArray()))
        .as("seed %d", seed)
        .isTrue();
    assertThat(Arrays.equals(reading.of(STDERR), printedErr.toByteArray()))
        .as("seed %d", seed)
        .isTrue();

    // A second reader, later, on its own place, sees the same.
    Reading late = new Reading(log.cursor(Position.BEGINNING, Promise.BEST_EFFORT), 7_777);
    late.untilDrained();
    assertThat(Arrays.equals(late.of(STDOUT), printedOut.toByteArray()))
        .as("seed %d", seed)
        .isTrue();
    assertThat(Arrays.equals(late.of(STDERR), printedErr.toByteArray()))
        .as("seed %d", seed)
        .isTrue();
    late.close();
    reading.close();
  }

  @Test
  void streamsComeInTheOrderInWhichTheyGrew() {
    OutputLog log = fixture.store.create("order", BOTH);
    Printer out = fixture.attach(log, STDOUT);
    Printer err = fixture.attach(log, STDERR);
    Reading live = new Reading(log.cursor(Position.BEGINNING, Promise.EVERYTHING));
    StringBuilder expected = new StringBuilder();
    for (int i = 0; i < 600; i++) {
      StreamName stream = i % 3 == 0 ? STDERR : STDOUT;
      int offset = (int) live.cursor.offset(stream);
      (stream == STDERR ? err : out).print("x");
      expected.append(stream == STDERR ? 'e' : 'o');
      live.until(step -> live.cursor.offset(stream) == offset + 1);
    }
    out.close();
    err.close();
    live.untilDrained();
    Reading late = new Reading(log.cursor(Position.BEGINNING, Promise.BEST_EFFORT), 1);
    late.untilDrained();
    assertThat(sequence(late)).isEqualTo(expected.toString());
    assertThat(late.steps)
        .filteredOn(Step.Data.class::isInstance)
        .extracting(step -> ((Step.Data) step).timeMicros())
        .isSorted();
    live.close();
    late.close();
  }

  private static String sequence(Reading reading) {
    StringBuilder text = new StringBuilder();
    for (Step step : reading.steps) {
      if (step instanceof Step.Data data) {
        text.append((data.stream() == STDERR ? "e" : "o").repeat(data.length()));
      }
    }
    return text.toString();
  }

  @Test
  void readersBeginWhereTheyWereAskedTo() {
    OutputLog log = fixture.store.create("places", BOTH);
    Printer out = fixture.attach(log, STDOUT);
    Printer err = fixture.attach(log, STDERR);
    Reading first = new Reading(log.cursor(Position.BEGINNING, Promise.EVERYTHING));
    out.print("0123456789");
    first.until(_ -> first.cursor.offset(STDOUT) == 10);
    Reading now = new Reading(log.cursor(Position.NOW, Promise.EVERYTHING));
    Reading at = new Reading(log.cursor(new Position.Offsets(7, 0, 0), Promise.EVERYTHING));
    assertThatThrownBy(() -> log.cursor(new Position.Offsets(11, 0, 0), Promise.EVERYTHING))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("offset 11 lies beyond the end of stdout, which is at 10");
    out.print("abc");
    out.close();
    err.close();
    now.untilDrained();
    at.untilDrained();
    first.untilDrained();
    assertThat(now.text(STDOUT)).isEqualTo("abc");
    assertThat(at.text(STDOUT)).isEqualTo("789abc");
    assertThat(first.text(STDOUT)).isEqualTo("0123456789abc");
    first.close();
    now.close();
    at.close();
  }

  @Test
  void endLiesBetweenWhatWasPrintedBeforeAndAfter() {
    OutputLog log = fixture.store.create("end", ONE);
    Printer out = fixture.attach(log, STDOUT);
    Reading reading = new Reading(log.cursor(Position.BEGINNING, Promise.EVERYTHING));
    out.print("before");
    reading.until(_ -> reading.cursor.offset(STDOUT) == 6);
    log.markEnd();
    out.print("after");
    out.close();
    await().until(log::drained);
    Reading late = new Reading(log.cursor(Position.BEGINNING, Promise.EVERYTHING));
    late.until(step -> step instanceof Step.Mark);
    assertThat(late.text(STDOUT)).isEqualTo("before");
    late.untilDrained();
    assertThat(late.text(STDOUT)).isEqualTo("beforeafter");
    assertThat(late.steps).filteredOn(Step.Mark.class::isInstance).hasSize(1);
    reading.untilDrained();
    assertThat(reading.steps).filteredOn(Step.Mark.class::isInstance).hasSize(1);
    late.close();
    reading.close();
  }

  @Test
  void drainNowTakesWhatIsReadableBeforeTheEndIsMarked() throws Exception {
    OutputLog log = fixture.store.create("drain", ONE);
    Printer out = fixture.attach(log, STDOUT);
    CompletableFuture<Long> end = new CompletableFuture<>();
    fixture.loop.execute(() -> {
      out.print("x".repeat(100_000)); // nobody but this thread can take it
      boolean clear = log.drainNow();
      log.markEnd();
      end.complete(clear ? log.endOffset(STDOUT) : -1);
    });
    assertThat(end.get(60, TimeUnit.SECONDS)).isEqualTo(100_000);
    out.close();
  }

  @Test
  void deletedLogLeavesNoFilesAndTellsItsReaders() {
    OutputLog log = fixture.store.create("gone", ONE);
    Printer out = fixture.attach(log, STDOUT);
    Reading reading = new Reading(log.cursor(Position.BEGINNING, Promise.BEST_EFFORT));
    out.print("123");
    out.close();
    reading.untilDrained();
    Reading late = new Reading(log.cursor(Position.BEGINNING, Promise.BEST_EFFORT));
    log.finish();
    log.delete();
    await().until(() -> fixture.files().isEmpty());
    late.untilDrained();
    assertThat(late.gaps()).containsExactly(new Step.Gap(STDOUT, 0, 3));
    assertThat(fixture.store.find("gone")).isEmpty();
    assertThat(fixture.store.totalBytes()).isZero();
    reading.close();
    late.close();
  }

  @Test
  void processIdsThatCouldLeaveTheDirectoryAreRefused() {
    assertThatThrownBy(() -> fixture.store.create("../x", ONE))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void shellCommandIsReadToItsLastByte() throws Exception {
    OutputLog log = fixture.store.create("shell", ONE);
    fixture.attachShell(
        log, STDOUT, "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done");
    Reading reading = new Reading(log.cursor(Position.BEGINNING, Promise.EVERYTHING));
    reading.untilDrained();
    StringBuilder expected = new StringBuilder();
    for (int i = 0; i < 3000; i++) {
      expected.append("line ").append(i).append('\n');
    }
    assertThat(reading.text(STDOUT)).isEqualTo(expected.toString());
    reading.close();
  }
}
