package dev.sandpiper.agent.output;

import static dev.sandpiper.agent.output.LogFixture.BOTH;
import static dev.sandpiper.agent.output.LogFixture.ONE;
import static dev.sandpiper.agent.output.StreamName.STDERR;
import static dev.sandpiper.agent.output.StreamName.STDOUT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.output.LogFixture.Printer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class LastLinesTest {
  @TempDir Path directory;

  private record Piece(StreamName stream, String text) {
    byte[] bytes() {
      return text.getBytes(StandardCharsets.US_ASCII);
    }
  }

  /// Prints piece after piece, so that the log knows their order.
  private static void print(OutputLog log, Map<StreamName, Printer> to, Piece piece) {
    long end = log.endOffset(piece.stream()) + piece.text().length();
    Printer printer = to.get(piece.stream());
    if (printer == null) {
      throw new AssertionError("no printer");
    }
    printer.print(piece.bytes());
    await()
        .pollDelay(Duration.ZERO)
        .pollInterval(Duration.ofNanos(50_000))
        .until(() -> log.endOffset(piece.stream()) == end);
  }

  private static Piece piece(StreamName stream, String text) {
    return new Piece(stream, text);
  }

  /// Where the last lines begin, found by going through everything.
  private static Map<StreamName, Long> expected(
      List<Piece> pieces, Set<StreamName> wanted, long lines) {
    record Line(StreamName stream, long start) {}
    List<Line> all = new ArrayList<>();
    Map<StreamName, Long> at = new EnumMap<>(StreamName.class);
    Map<StreamName, Long> lineStart = new EnumMap<>(StreamName.class);
    Map<StreamName, Integer> lastPiece = new EnumMap<>(StreamName.class);
    for (int i = 0; i < pieces.size(); i++) {
      lastPiece.put(pieces.get(i).stream(), i);
    }
    for (int i = 0; i < pieces.size(); i++) {
      StreamName stream = pieces.get(i).stream();
      for (byte b : pieces.get(i).bytes()) {
        long offset = at.merge(stream, 1L, Long::sum);
        if (b == '\n') {
          if (wanted.contains(stream)) {
            all.add(new Line(stream, lineStart.getOrDefault(stream, 0L)));
          }
          lineStart.put(stream, offset);
        }
      }
      if (lastPiece.getOrDefault(stream, -1) == i
          && wanted.contains(stream)
          && lineStart.getOrDefault(stream, 0L) < at.getOrDefault(stream, 0L)) {
        all.add(new Line(stream, lineStart.getOrDefault(stream, 0L)));
      }
    }
    Map<StreamName, Long> result = new EnumMap<>(StreamName.class);
    wanted.forEach(stream -> result.put(stream, at.getOrDefault(stream, 0L)));
    for (Line line : all.subList((int) Math.max(0, all.size() - lines), all.size())) {
      result.merge(line.stream(), line.start(), Math::min);
    }
    return result;
  }

  private static void assertFound(
      OutputLog log, List<Piece> pieces, Set<StreamName> wanted, long lines) {
    Position.Offsets found = log.positionOfLastLines(lines, wanted);
    expected(pieces, wanted, lines)
        .forEach((stream, start) ->
            assertThat(found.of(stream)).as("%s of the last %d", stream, lines).isEqualTo(start));
  }

  @Test
  void linesOfTwoStreamsCountInTheOrderInWhichTheyWereCompleted() {
    try (LogFixture fixture =
        new LogFixture(directory, LogFixture.retention(64L << 20), stepping())) {
      OutputLog log = fixture.store.create("lines", BOTH);
      Map<StreamName, Printer> to =
          Map.of(STDOUT, fixture.attach(log, STDOUT), STDERR, fixture.attach(log, STDERR));
      List<Piece> pieces =
          List.of(
              piece(STDOUT, "one\ntw"),
              piece(STDERR, "e1\n"),
              piece(STDOUT, "o\n"),
              piece(STDERR, "\n\ne2"),
              piece(STDOUT, "three\n"));
      pieces.forEach(piece -> print(log, to, piece));
      for (long lines = 0; lines < 10; lines++) {
        assertFound(log, pieces, BOTH, lines);
        assertFound(log, pieces, ONE, lines);
        assertFound(log, pieces, EnumSet.of(STDERR), lines);
      }
      to.values().forEach(Printer::close);
    }
  }

  /// More entries than are in memory, lines longer than a block, several segments, any number of lines.
  @Test
  void agreesWithAScanOfEverything() {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    Report.say("lines found backwards, seed %d", seed);
    try (LogFixture fixture =
        new LogFixture(directory, LogFixture.retention(8L << 20), stepping())) {
      OutputLog log = fixture.store.create("random", BOTH);
      Map<StreamName, Printer> to =
          Map.of(STDOUT, fixture.attach(log, STDOUT), STDERR, fixture.attach(log, STDERR));
      List<Piece> pieces = new ArrayList<>();
      for (int i = 0; i < 700; i++) {
        int length = i % 150 == 0 ? 1 + random.nextInt(200_000) : 1 + random.nextInt(60);
        int longest = i % 300 == 0 ? 100_000 : 40;
        pieces.add(
            new Piece(random.nextBoolean() ? STDOUT : STDERR, text(random, length, longest)));
        print(log, to, pieces.getLast());
      }
      for (int lines : new int[] {0, 1, 2, 3, 10, 100, 1_000, 5_000, 1_000_000}) {
        assertFound(log, pieces, BOTH, lines);
        assertFound(log, pieces, ONE, lines);
      }
      to.values().forEach(Printer::close);
    }
  }

  private static String text(Random random, int length, int longest) {
    StringBuilder out = new StringBuilder(length);
    while (out.length() < length) {
      int line = random.nextInt(longest);
      for (int i = 0; i < line && out.length() < length; i++) {
        out.append((char) ('a' + i % 26));
      }
      if (out.length() < length) {
        out.append('\n');
      }
    }
    return out.toString();
  }

  @Test
  void whatRetentionHasRemovedHasNoLines() {
    try (LogFixture fixture = new LogFixture(directory, LogFixture.retention(64 * 1024))) {
      OutputLog log = fixture.store.create("gone", ONE);
      Map<StreamName, Printer> to = Map.of(STDOUT, fixture.attach(log, STDOUT));
      for (int i = 0; i < 100; i++) {
        print(log, to, piece(STDOUT, "x".repeat(4_095) + "\n"));
      }
      long start = log.startOffset(STDOUT);
      assertThat(start).isPositive();
      assertThat(log.positionOfLastLines(1_000, ONE).stdout()).isEqualTo(start);
      assertThat(log.positionOfLastLines(3, ONE).stdout()).isEqualTo(97 * 4_096);
      to.values().forEach(Printer::close);
    }
  }

  @Test
  void aReaderOfOneStreamMeetsNoOther() {
    try (LogFixture fixture =
        new LogFixture(directory, LogFixture.retention(1 << 20), stepping())) {
      OutputLog log = fixture.store.create("one", BOTH);
      Map<StreamName, Printer> to =
          Map.of(STDOUT, fixture.attach(log, STDOUT), STDERR, fixture.attach(log, STDERR));
      for (int i = 0; i < 600; i++) {
        print(log, to, piece(i % 3 == 0 ? STDERR : STDOUT, i + "\n"));
      }
      to.values().forEach(Printer::close);
      await().until(log::drained);
      log.markEnd();
      StringBuilder expected = new StringBuilder();
      for (int i = 0; i < 600; i += 3) {
        expected.append(i).append('\n');
      }
      try (Reading reading =
          new Reading(log.cursor(Position.BEGINNING, Promise.BEST_EFFORT, EnumSet.of(STDERR)))) {
        reading.untilDrained();
        assertThat(reading.text(STDERR)).isEqualTo(expected.toString());
        assertThat(reading.of(STDOUT)).isEmpty();
        assertThat(reading.steps).anyMatch(Cursor.Step.Mark.class::isInstance);
      }
      assertThatThrownBy(
              () -> log.cursor(Position.NOW, Promise.BEST_EFFORT, EnumSet.of(StreamName.PTY)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("pty");
    }
  }

  /// Every growth is 2 ms after the one before, so that each is an entry.
  private static Clock stepping() {
    AtomicLong millis = new AtomicLong();
    return new Clock(() -> Instant.ofEpochMilli(millis.addAndGet(2)), System::nanoTime);
  }
}
