package dev.sandpiper.agent.record;

import static dev.sandpiper.agent.record.Lines.reference;
import static dev.sandpiper.agent.record.Lines.split;
import static dev.sandpiper.agent.record.Lines.utf8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.record.EmitterPosition.StreamPosition;
import dev.sandpiper.agent.record.Lines.Line;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class LineSplitterTest {
  private static final int LIMIT = 64;
  private static final int DEFAULT = RecordSettings.DEFAULTS.lineLimitBytes();

  private static List<String> texts(List<Line> lines) {
    return lines.stream().map(Line::text).toList();
  }

  /// Whole, byte by byte, and cut at every offset.
  private static List<Line> splitAllWays(byte[] stream, int limit) {
    var whole = split(stream, limit);
    int[] ones = new int[stream.length];
    Arrays.fill(ones, 1);
    assertThat(split(stream, limit, ones)).as("byte by byte").isEqualTo(whole);
    for (int cut = 0; cut <= stream.length; cut++) {
      assertThat(split(stream, limit, cut)).as("cut at %d", cut).isEqualTo(whole);
    }
    return whole;
  }

  private static List<String> textsAllWays(String stream) {
    return texts(splitAllWays(utf8(stream), LIMIT));
  }

  @Test
  void keepsAFinalLineWithoutLineEnd() {
    assertThat(textsAllWays("a\nb")).containsExactly("a", "b");
  }

  @Test
  void keepsBlankLinesB2() {
    assertThat(textsAllWays("a\n\nb\n")).containsExactly("a", "", "b");
    assertThat(textsAllWays("\n\r\n\n")).containsExactly("", "", "");
  }

  @Test
  void removesOneCarriageReturnBeforeALineEnd() {
    assertThat(textsAllWays("a\r\n")).containsExactly("a");
    assertThat(textsAllWays("a\r\r\n")).containsExactly("a\r");
  }

  @Test
  void takesAnyOtherCarriageReturnForText() {
    assertThat(textsAllWays("10%\r20%\rdone\n50%\r")).containsExactly("10%\r20%\rdone", "50%\r");
  }

  @Test
  void makesNothingOfNothing() {
    assertThat(split(new byte[0], LIMIT)).isEmpty();
    assertThat(textsAllWays("a\n")).containsExactly("a");
  }

  @Test
  void keepsACharacterThatSpansTwoReads() {
    assertThat(textsAllWays("grüße €uro 🐦\n🐦")).containsExactly("grüße €uro 🐦", "🐦");
  }

  @ParameterizedTest
  @ValueSource(ints = {LIMIT - 1, LIMIT})
  void leavesALineUpToTheLimitWholeD3(int length) {
    assertThat(splitAllWays(utf8("x".repeat(length) + "\n"), LIMIT))
        .containsExactly(Line.whole("x".repeat(length)));
    assertThat(splitAllWays(utf8("x".repeat(length) + "\r\ny\n"), LIMIT))
        .containsExactly(Line.whole("x".repeat(length)), Line.whole("y"));
    assertThat(splitAllWays(utf8("x".repeat(length)), LIMIT))
        .containsExactly(Line.whole("x".repeat(length)));
  }

  @Test
  void cutsALineBeyondTheLimitIntoPartsD2() {
    var expected =
        List.of(new Line("x".repeat(LIMIT), 1), new Line("x".repeat(LIMIT), 2), new Line("yy", -3));
    String line = "x".repeat(2 * LIMIT) + "yy";
    assertThat(splitAllWays(utf8(line + "\n"), LIMIT)).isEqualTo(expected);
    assertThat(splitAllWays(utf8(line), LIMIT)).isEqualTo(expected);
    assertThat(splitAllWays(utf8("x".repeat(LIMIT) + "\ry\n"), LIMIT))
        .containsExactly(new Line("x".repeat(LIMIT), 1), new Line("\ry", -2));
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 1})
  void holdsAtTheDefaultLimitToo(int more) {
    byte[] stream = utf8("x".repeat(DEFAULT + more) + "\nend\n");
    assertThat(split(stream, DEFAULT)).isEqualTo(reference(stream, DEFAULT));
    assertThat(split(stream, DEFAULT, DEFAULT)).hasSize(more > 0 ? 3 : 2);
    assertThat(split(stream, DEFAULT, DEFAULT + more)).hasSize(more > 0 ? 3 : 2);
  }

  @Test
  void segmentsALineWithoutWaitingForItsEnd() {
    var sink = new Lines();
    var splitter = Lines.splitter(LIMIT);
    byte[] run = utf8("x".repeat(10 * LIMIT + 1));
    splitter.feed(run, 0, run.length, 0, 0, sink);
    assertThat(sink.lines).hasSize(10).allMatch(line -> line.text().length() == LIMIT);
    assertThat(sink.offsets).containsOnly(0L);
  }

  @Test
  void cutsPartsBetweenCharactersD4() {
    for (String character : List.of("ü", "€", "🐦")) {
      for (int shift = 0; shift < 4; shift++) {
        byte[] stream = utf8("x".repeat(shift) + character.repeat(LIMIT));
        var lines = splitAllWays(stream, LIMIT);
        assertThat(lines).isEqualTo(reference(stream, LIMIT));
        assertThat(String.join("", texts(lines))).isEqualTo(Lines.decode(stream));
        assertThat(lines).allMatch(line -> utf8(line.text()).length <= LIMIT);
      }
    }
  }

  @Test
  void countsInvalidBytesAsTheThreeThatTheyBecome() {
    byte[] stream = new byte[2 * LIMIT];
    Arrays.fill(stream, (byte) 0xff);
    var lines = splitAllWays(stream, LIMIT);
    assertThat(lines).isEqualTo(reference(stream, LIMIT));
    assertThat(lines.getFirst().text()).isEqualTo("\ufffd".repeat(LIMIT / 3));
  }

  @Test
  void cutsALineOfControlCharactersByItsEncodedSizeD5() {
    byte[] stream = utf8("\u0001".repeat(DEFAULT) + "\n");
    var lines = split(stream, DEFAULT);
    assertThat(lines).isEqualTo(reference(stream, DEFAULT)).hasSize(4);
    assertThat(lines).allMatch(line -> 6 * line.text().length() <= 128 * 1024);
  }

  @Test
  void leavesALineOfQuotesWhole() {
    byte[] stream = utf8("\"".repeat(DEFAULT) + "\n");
    assertThat(split(stream, DEFAULT)).hasSize(1);
  }

  @Test
  void endsAWaitingLineWhereTheProcessEndsAndSwallowsItsLateLineEnd() {
    var sink = new Lines();
    var splitter = Lines.splitter(LIMIT);
    feed(splitter, "prompt", 0, sink);
    splitter.flush(true, sink);
    feed(splitter, "\nnext\n", 6, sink);
    feed(splitter, "half", 12, sink);
    splitter.flush(true, sink);
    feed(splitter, " and half\n\n", 16, sink);
    assertThat(texts(sink.lines)).containsExactly("prompt", "next", "half", " and half", "");
  }

  @Test
  void marksTheLastPartWhereTheProcessEnds() {
    var sink = new Lines();
    var splitter = Lines.splitter(LIMIT);
    feed(splitter, "x".repeat(LIMIT + 1), 0, sink);
    splitter.flush(true, sink);
    feed(splitter, "\n", LIMIT + 1, sink);
    assertThat(sink.lines).containsExactly(new Line("x".repeat(LIMIT), 1), new Line("x", -2));
  }

  @Test
  void anEarlyPartIsNeverFollowedByAnEmptyOne() {
    var sink = new Lines();
    var held = new LineSplitter.Held();
    var splitter = new LineSplitter(LIMIT, held, StreamPosition.BEGINNING);
    feed(splitter, "x".repeat(LIMIT - 1) + "\r", 0, sink);
    splitter.flushEarly(sink);
    splitter.flushEarly(sink);
    assertThat(held.bytes()).isLessThanOrEqualTo(8);
    feed(splitter, "\ny\n", LIMIT, sink);
    assertThat(sink.lines)
        .containsExactly(
            new Line("x".repeat(LIMIT - 8), 1), new Line("x".repeat(7), -2), Line.whole("y"));
    assertThat(held.bytes()).isZero();
  }

  @Test
  void holdsNothingBetweenLines() {
    var held = new LineSplitter.Held();
    var splitter = new LineSplitter(LIMIT, held, StreamPosition.BEGINNING);
    var sink = new Lines();
    feed(splitter, "whole\nhalf", 0, sink);
    assertThat(held.bytes()).isPositive().isLessThan(256);
    feed(splitter, "\n", 10, sink);
    assertThat(held.bytes()).isZero();
  }

  @Test
  void goesOnFromAPosition() {
    byte[] stream = utf8("one\n" + "x".repeat(2 * LIMIT + 5) + "\ntwo\n");
    var expected = split(stream, LIMIT);
    for (int cut = 0; cut <= stream.length; cut++) {
      var sink = new Lines();
      var first = Lines.splitter(LIMIT);
      first.feed(stream, 0, cut, 0, 0, sink);
      var position = first.position();
      int from = (int) position.offset();
      var second = new LineSplitter(LIMIT, new LineSplitter.Held(), position);
      second.feed(stream, from, stream.length, from, 0, sink);
      assertThat(sink.lines).as("cut at %d", cut).isEqualTo(expected);
      assertThat(sink.offsets).as("cut at %d", cut).containsExactly(0L, 4L, 4L, 4L, 138L);
    }
  }

  @Test
  void agreesWithThePlainWayOnRandomBytes() {
    long seed = System.nanoTime();
    var random = new Random(seed);
    byte[][] alphabets = {
      utf8("ab\n"),
      utf8("abcdefgh\r\n"),
      utf8("aü€🐦\n"),
      utf8("\"\\\t\u0001x\n"),
      {'a', '\r', '\n', (byte) 0xff, (byte) 0xc3, (byte) 0xa9, (byte) 0xe2, (byte) 0x82},
      {'a', 1, (byte) 0xf0, (byte) 0x9f, (byte) 0x90, (byte) 0xa6, (byte) 0xe0, (byte) 0xf4},
    };
    for (int round = 0; round < 20_000; round++) {
      byte[] alphabet = alphabets[random.nextInt(alphabets.length)];
      byte[] stream = new byte[random.nextInt(600)];
      int newlines = 1 + random.nextInt(200);
      for (int i = 0; i < stream.length; i++) {
        stream[i] = alphabet[random.nextInt(alphabet.length)];
        if (stream[i] == '\n' && random.nextInt(newlines) != 0) {
          stream[i] = 'n';
        }
      }
      int[] pieces = random.ints(random.nextInt(20), 0, 100).toArray();
      assertThat(split(stream, LIMIT, pieces))
          .as("seed %d, round %d, pieces %s", seed, round, Arrays.toString(pieces))
          .isEqualTo(reference(stream, LIMIT));
    }
  }

  private static void feed(LineSplitter splitter, String text, long offset, Lines sink) {
    byte[] bytes = utf8(text);
    splitter.feed(bytes, 0, bytes.length, offset, 0, sink);
  }
}
