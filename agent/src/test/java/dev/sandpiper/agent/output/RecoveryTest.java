package dev.sandpiper.agent.output;

import static dev.sandpiper.agent.output.LogFixture.BOTH;
import static dev.sandpiper.agent.output.StreamName.STDERR;
import static dev.sandpiper.agent.output.StreamName.STDOUT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.output.Cursor.Step;
import dev.sandpiper.agent.output.LogFixture.Printer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What an agent finds that another one left.
@Timeout(60)
class RecoveryTest {
  @TempDir Path directory;
  @TempDir Path later;

  /// Prints pieces to both streams in turn and answers their order, for example `oeoo`.
  private static String print(LogFixture fixture, OutputLog log, int pieces) {
    Printer out = fixture.attach(log, STDOUT);
    Printer err = fixture.attach(log, STDERR);
    Reading live = new Reading(log.cursor(Position.BEGINNING, Promise.EVERYTHING));
    StringBuilder order = new StringBuilder();
    for (int i = 0; i < pieces; i++) {
      boolean toErr = i % 3 == 1;
      StreamName stream = toErr ? STDERR : STDOUT;
      long offset = live.cursor.offset(stream);
      (toErr ? err : out).print("x");
      order.append(toErr ? 'e' : 'o');
      live.until(_ -> live.cursor.offset(stream) > offset);
    }
    live.close();
    out.close();
    err.close();
    await().until(log::drained);
    return order.toString();
  }

  private static String order(OutputLog log) {
    Reading reading = new Reading(log.cursor(Position.BEGINNING, Promise.BEST_EFFORT));
    reading.untilDrained();
    assertThat(reading.steps.getLast()).as("the end").isEqualTo(new Step.Mark());
    reading.close();
    StringBuilder order = new StringBuilder();
    for (Step step : reading.steps) {
      if (step instanceof Step.Data data) {
        order.append((data.stream() == STDERR ? "e" : "o").repeat(data.length()));
      }
    }
    return order.toString();
  }

  /// What a crash at this moment would leave.
  private void copyForLater() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.toList()) {
        Files.copy(file, later.resolve(file.getFileName()));
      }
    }
  }

  @Test
  void shortOutputComesBackInOrderThroughTheJournal() throws Exception {
    byte[] small;
    String order;
    try (LogFixture fixture = new LogFixture(directory, OutputSettings.DEFAULT)) {
      OutputLog log = fixture.store.create("short", BOTH);
      order = print(fixture, log, 30);
      log.markEnd();
      small = log.smallIndex();
      log.finish();
      assertThat(small).hasSizeBetween(30, 300);
    }
    try (LogFixture fixture = new LogFixture(directory, OutputSettings.DEFAULT)) {
      assertThat(fixture.files()).containsExactly("short.stderr.0", "short.stdout.0");
      OutputLog log = fixture.store.recover("short", Map.of(STDOUT, 20L, STDERR, 10L), small);
      assertThat(order(log)).isEqualTo(order);
      assertThat(log.drained()).isTrue();
      assertThat(fixture.store.totalBytes()).isEqualTo(30);
      assertThat(fixture.store.find("short")).contains(log);
      assertThatThrownBy(() -> fixture.store.create("short", BOTH))
          .isInstanceOf(IllegalStateException.class);
      log.delete();
      await().until(() -> fixture.files().isEmpty());
    }
  }

  @Test
  void longOutputComesBackInOrderFromItsIndexFiles() throws Exception {
    String order;
    try (LogFixture fixture = new LogFixture(directory, OutputSettings.DEFAULT)) {
      OutputLog log = fixture.store.create("long", BOTH);
      order = print(fixture, log, 700);
      assertThat(order(fixture, log)).isEqualTo(order);
      log.finish();
    }
    try (LogFixture fixture = new LogFixture(directory, OutputSettings.DEFAULT)) {
      assertThat(fixture.files()).contains("long.index.0");
      List<OutputLog> logs = fixture.store.recoverRest();
      assertThat(logs).hasSize(1);
      assertThat(order(logs.getFirst())).isEqualTo(order);
    }
  }

  private static String order(LogFixture fixture, OutputLog log) {
    assertThat(fixture.files()).contains(log.processId() + ".index.0");
    log.markEnd();
    return order(log);
  }

  @Test
  void indexThatLacksItsTailIsExactUpToThere() throws Exception {
    String order;
    try (LogFixture fixture = new LogFixture(directory, OutputSettings.DEFAULT)) {
      OutputLog log = fixture.store.create("crash", BOTH);
      order = print(fixture, log, 700);
      copyForLater();
    }
    try (LogFixture fixture = new LogFixture(later, OutputSettings.DEFAULT)) {
      OutputLog log = fixture.store.recoverRest().getFirst();
      String found = order(log);
      int written = 128 * 4; // batches of 128 entries are on disk
      assertThat(found.substring(0, written)).isEqualTo(order.substring(0, written));
      assertThat(found).hasSize(700).matches("[eo]{512}o*e*");
      assertThat(found.chars().filter(c -> c == 'e').count())
          .isEqualTo(order.chars().filter(c -> c == 'e').count());
    }
  }

  @Test
  void damagedIndexCostsTheOrderAndNothingElse() throws Exception {
    try (LogFixture fixture = new LogFixture(directory, OutputSettings.DEFAULT)) {
      print(fixture, fixture.store.create("damaged", BOTH), 700);
      copyForLater();
    }
    Path index = later.resolve("damaged.index.0");
    byte[] good = Files.readAllBytes(index);
    for (byte[] bad :
        List.of(
            new byte[0], Arrays.copyOf(good, 47), new byte[200], Arrays.copyOf(good, 1_000 - 3))) {
      Files.write(index, bad, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING);
      try (LogFixture fixture = new LogFixture(later, OutputSettings.DEFAULT)) {
        OutputLog log = fixture.store.recoverRest().getFirst();
        Reading reading = new Reading(log.cursor(Position.BEGINNING, Promise.BEST_EFFORT));
        reading.untilDrained();
        assertThat(reading.gaps()).isEmpty();
        assertThat(reading.of(STDOUT).length + reading.of(STDERR).length).isEqualTo(700);
        reading.close();
      }
    }
  }

  @Test
  void onlyTheNewestAreKeptAfterARestartToo() {
    OutputSettings settings =
        new OutputSettings(64 * 1024, 1 << 20, 2, true, Duration.ofSeconds(5));
    try (LogFixture fixture = new LogFixture(directory, settings)) {
      List<String> evicted = new CopyOnWriteArrayList<>();
      fixture.store.onEvicted(evicted::add);
      for (String id : List.of("first", "second", "third", "fourth")) {
        fixture.store.recover(id, Map.of(STDOUT, 0L), new byte[0]);
      }
      fixture.store.recoverRest();
      await().until(() -> evicted.size() == 2);
      assertThat(evicted).containsExactly("first", "second");
      assertThat(fixture.store.find("third")).isPresent();
    }
  }

  @Test
  void processThatPrintedNothingComesBackEmpty() {
    try (LogFixture fixture = new LogFixture(directory, OutputSettings.DEFAULT)) {
      OutputLog log = fixture.store.recover("quiet", Map.of(STDOUT, 0L, STDERR, 0L), new byte[0]);
      assertThat(log.streams()).isEqualTo(BOTH);
      assertThat(order(log)).isEmpty();
    }
  }

  @Test
  void bytesThatWereRemovedBeforeTheRestartAreAGapAfterIt() throws Exception {
    Files.write(directory.resolve("cut.stdout.100"), Numbered.bytes(100, 50));
    Files.write(directory.resolve("cut.stdout.150"), Numbered.bytes(150, 10));
    Files.write(directory.resolve("cut.stderr.0"), new byte[0]);
    Files.write(directory.resolve("somebody's.file"), new byte[5]);
    try (LogFixture fixture = new LogFixture(directory, OutputSettings.DEFAULT)) {
      OutputLog log = fixture.store.recoverRest().getFirst();
      Reading reading = new Reading(log.cursor(Position.BEGINNING, Promise.BEST_EFFORT));
      reading.untilDrained();
      assertThat(reading.gaps()).containsExactly(new Step.Gap(STDOUT, 0, 100));
      assertThat(Numbered.firstDifference(reading.of(STDOUT), 100)).isEqualTo(-1);
      assertThat(log.endOffset(STDOUT)).isEqualTo(160);
      assertThat(fixture.files())
          .containsExactly("cut.stdout.100", "cut.stdout.150", "somebody's.file");
      reading.close();
    }
  }
}
