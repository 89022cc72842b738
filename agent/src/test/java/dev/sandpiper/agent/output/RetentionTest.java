package dev.sandpiper.agent.output;

import static dev.sandpiper.agent.output.LogFixture.BOTH;
import static dev.sandpiper.agent.output.LogFixture.ONE;
import static dev.sandpiper.agent.output.StreamName.STDERR;
import static dev.sandpiper.agent.output.StreamName.STDOUT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.output.Cursor.Step;
import dev.sandpiper.agent.output.LogFixture.Printer;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class RetentionTest {
  private static final int RETENTION = 64 * 1024;

  @TempDir Path directory;

  private LogFixture fixture(OutputSettings settings) {
    return new LogFixture(directory, settings);
  }

  private void print(OutputLog log, Printer out, StreamName stream, long from, int length) {
    out.print(Numbered.bytes(from, length));
    await().pollInterval(Duration.ofMillis(1)).until(() -> log.endOffset(stream) == from + length);
  }

  private long bytesOnDisk() throws Exception {
    long bytes = 0;
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.toList()) {
        bytes += file.getFileName().toString().contains(".index.") ? 0 : Files.size(file);
      }
    }
    return bytes;
  }

  @Test
  void whatIsReadAndWhatIsAGapTogetherAreEverythingPrinted() throws Exception {
    try (LogFixture fixture = fixture(LogFixture.retention(RETENTION))) {
      OutputLog log = fixture.store.create("gaps", ONE);
      Printer out = fixture.attach(log, STDOUT);
      Cursor cursor = log.cursor(Position.BEGINNING, Promise.BEST_EFFORT);
      List<Step> steps = new ArrayList<>();
      int total = 1 << 20;
      long covered = 0;
      for (int printed = 0; printed < total; ) {
        int length = Math.min(1 + (printed * 31) % 40_000, total - printed);
        print(log, out, STDOUT, printed, length);
        printed += length;
        assertThat(log.retainedBytes()).isLessThanOrEqualTo(RETENTION);
        assertThat(bytesOnDisk()).isEqualTo(log.retainedBytes());
        // Reads less than is printed, so that it falls behind again and again.
        covered = take(cursor, covered, 10_000, steps);
      }
      out.close();
      await().until(log::drained);
      while (!(cursor.peek() instanceof Step.Drained)) {
        covered = take(cursor, covered, Integer.MAX_VALUE, steps);
      }
      assertThat(covered).isEqualTo(total);
      assertThat(steps).hasAtLeastOneElementOfType(Step.Gap.class);
      assertThat(fixture.store.counters().droppedBytes()).isEqualTo(total - log.retainedBytes());
      cursor.close();
    }
  }

  /// Takes one step and checks that it begins where the one before ended and holds what was printed there.
  private long take(Cursor cursor, long covered, int max, List<Step> steps) {
    Step step = cursor.peek(max);
    steps.add(step);
    return switch (step) {
      case Step.Data data -> {
        assertThat(data.offset()).isEqualTo(covered);
        ByteBuffer buffer = ByteBuffer.allocateDirect(data.length());
        cursor.read(buffer);
        byte[] bytes = new byte[data.length()];
        buffer.flip().get(bytes);
        assertThat(Numbered.firstDifference(bytes, data.offset())).isEqualTo(-1);
        cursor.advance(data.length());
        yield covered + data.length();
      }
      case Step.Gap gap -> {
        assertThat(gap.start()).isEqualTo(covered);
        assertThat(gap.end()).isGreaterThan(gap.start());
        cursor.skipGap();
        yield gap.end();
      }
      default -> throw new AssertionError(step);
    };
  }

  @Test
  void segmentsOfBothStreamsCountTogetherAndTheOldestGoesFirst() throws Exception {
    try (LogFixture fixture = fixture(LogFixture.retention(RETENTION))) {
      OutputLog log = fixture.store.create("both", BOTH);
      Printer out = fixture.attach(log, STDOUT);
      Printer err = fixture.attach(log, STDERR);
      print(log, err, STDERR, 0, 100);
      print(log, out, STDOUT, 0, 30_000);
      print(log, err, STDERR, 100, 20_000);
      for (int i = 0; i < 20; i++) {
        print(log, out, STDOUT, 30_000 + i * 10_000L, 10_000);
        assertThat(log.retainedBytes()).isLessThanOrEqualTo(RETENTION);
      }
      assertThat(log.startOffset(STDOUT)).isGreaterThan(150_000);
      assertThat(log.startOffset(STDERR))
          .as("full segments of stderr were older; the one still open stays")
          .isEqualTo(16_384);
      assertThat(fixture.files())
          .allMatch(name -> name.startsWith("both.stdout.") || name.startsWith("both.stderr."));
      out.close();
      err.close();
    }
  }

  @Test
  void segmentsAreAnEighthOfTheRetentionAndEndExactlyThere() throws Exception {
    try (LogFixture fixture = fixture(LogFixture.retention(RETENTION))) {
      OutputLog log = fixture.store.create("sizes", ONE);
      Printer out = fixture.attach(log, STDOUT);
      print(log, out, STDOUT, 0, 3 * RETENTION / 8);
      print(log, out, STDOUT, 3 * RETENTION / 8, 1);
      out.close();
      await().until(log::drained);
      assertThat(fixture.files())
          .containsExactly(
              "sizes.stdout.0", "sizes.stdout.16384", "sizes.stdout.24576", "sizes.stdout.8192");
      assertThat(directory.resolve("sizes.stdout.8192")).hasSize(8192);
      assertThat(directory.resolve("sizes.stdout.24576")).hasSize(1);
    }
  }

  @Test
  void outputOfTheOldestFinishedProcessGoesFirst() throws Exception {
    OutputSettings settings =
        new OutputSettings(RETENTION, 3 * RETENTION, 100, true, Duration.ofSeconds(5));
    try (LogFixture fixture = fixture(settings)) {
      List<OutputLog> finished = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        OutputLog log = fixture.store.create("f" + i, ONE);
        Printer out = fixture.attach(log, STDOUT);
        print(log, out, STDOUT, 0, 60_000);
        out.close();
        await().until(log::drained);
        log.markEnd();
        log.finish();
        finished.add(log);
      }
      OutputLog live = fixture.store.create("live", ONE);
      Printer out = fixture.attach(live, STDOUT);
      print(live, out, STDOUT, 0, 60_000);
      assertThat(finished.get(0).retainedBytes()).isLessThan(20_000);
      assertThat(finished.get(1).retainedBytes()).isEqualTo(60_000);
      assertThat(finished.get(2).retainedBytes()).isEqualTo(60_000);
      assertThat(live.startOffset(STDOUT)).isZero();
      assertThat(fixture.store.totalBytes()).isLessThanOrEqualTo(3 * RETENTION);
      Reading late = new Reading(finished.get(0).cursor(Position.BEGINNING, Promise.BEST_EFFORT));
      late.untilDrained();
      assertThat(late.gaps())
          .containsExactly(new Step.Gap(STDOUT, 0, finished.get(0).startOffset(STDOUT)));
      late.close();
      out.close();
    }
  }

  @Test
  void onlyTheNewestFinishedProcessesAreKept() {
    OutputSettings settings =
        new OutputSettings(RETENTION, 1 << 20, 3, true, Duration.ofSeconds(5));
    try (LogFixture fixture = fixture(settings)) {
      List<String> evicted = Collections.synchronizedList(new ArrayList<>());
      fixture.store.onEvicted(evicted::add);
      for (int i = 0; i < 5; i++) {
        OutputLog log = fixture.store.create("p" + i, ONE);
        Printer out = fixture.attach(log, STDOUT);
        out.print("x");
        out.close();
        await().until(log::drained);
        log.finish();
      }
      await().until(() -> evicted.size() == 2);
      assertThat(evicted).containsExactly("p0", "p1");
      assertThat(fixture.store.counters().evictedLogs()).isEqualTo(2);
      assertThat(fixture.files()).containsExactly("p2.stdout.0", "p3.stdout.0", "p4.stdout.0");
      assertThat(fixture.store.find("p1")).isEmpty();
      assertThat(fixture.store.find("p2")).isPresent();
    }
  }

  @Test
  void segmentThatIsBeingSentSurvivesItsRemoval() throws Exception {
    try (LogFixture fixture = fixture(LogFixture.retention(RETENTION))) {
      OutputLog log = fixture.store.create("held", ONE);
      Printer out = fixture.attach(log, STDOUT);
      print(log, out, STDOUT, 0, 5_000);
      Cursor cursor = log.cursor(Position.BEGINNING, Promise.BEST_EFFORT);
      assertThat(cursor.peek()).isInstanceOf(Step.Data.class);
      SegmentRef segment = cursor.segment();
      long position = cursor.filePosition();
      cursor.close();
      for (int i = 0; i < 20; i++) {
        print(log, out, STDOUT, 5_000 + i * 10_000L, 10_000);
      }
      assertThat(log.startOffset(STDOUT)).isGreaterThan(5_000);
      assertThat(directory.resolve("held.stdout.0")).doesNotExist();
      ByteBuffer bytes = ByteBuffer.allocate(5_000);
      assertThat(segment.file().read(bytes, position)).isEqualTo(5_000);
      assertThat(Numbered.firstDifference(bytes.array(), 0)).isEqualTo(-1);
      segment.release();
      out.close();
    }
  }
}
