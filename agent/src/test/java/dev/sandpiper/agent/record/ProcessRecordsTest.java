package dev.sandpiper.agent.record;

import static dev.sandpiper.agent.record.RecordHarness.caps;
import static dev.sandpiper.agent.record.RecordHarness.text;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.record.ProcessRecords.Turn;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/// The records of one process. Names of the bugs B1 to B7 and D1 to D7 are those of the requirement's review.
final class ProcessRecordsTest {
  private static final int CAP_BYTES = 2 * 1024 * 1024;
  private static final int CAP_RECORDS = 10_000;

  @Test
  void writesTheDesignedFields() {
    var harness = new RecordHarness();
    assertThat(harness.stdout("grüße\n").end().run()).isEqualTo(Turn.DONE);
    var lines = harness.written.toString(java.nio.charset.StandardCharsets.UTF_8).lines().toList();
    assertThat(lines)
        .containsExactly(
            "{\"@timestamp\":\"2026-11-21T11:48:32.000123Z\",\"level\":\"INFO\",\"logger\":\"process\","
                + "\"event_type\":\"process_start\",\"pid\":4711,\"message\":\"Process with pid 4711 started\","
                + "\"process_id\":\"p-1\",\"tag\":\"t\",\"command\":\"printf 'a\\\\nb'\",\"user\":\"user\","
                + "\"request_timeout_ms\":60000}",
            "{\"@timestamp\":\"2023-11-14T22:13:20.000000Z\",\"level\":\"INFO\",\"logger\":\"process\","
                + "\"event_type\":\"process_output\",\"pid\":4711,\"stream\":\"stdout\",\"message\":\"grüße\","
                + "\"process_id\":\"p-1\",\"tag\":\"t\",\"seq\":1}",
            "{\"@timestamp\":\"2026-11-21T11:48:32.000123Z\",\"level\":\"INFO\",\"logger\":\"process\","
                + "\"event_type\":\"process_end\",\"pid\":4711,\"message\":\"Process with pid 4711 ended\","
                + "\"process_id\":\"p-1\",\"tag\":\"t\",\"exit_code\":0,\"exited\":\"true\","
                + "\"status\":\"exit status 0\",\"stdout_bytes\":1,\"stderr_bytes\":2,\"pty_bytes\":0}");
  }

  @Test
  void leavesOutATagThatIsNotSet() {
    var settings = RecordSettings.DEFAULTS;
    var harness = new RecordHarness(settings, EmitterPosition.beginning(settings), null);
    harness.stdout("a\n").end().run();
    assertThat(harness.records()).hasSize(3).noneMatch(record -> record.has("tag"));
  }

  @Test
  void processEndCarriesThePidD7() {
    var harness = new RecordHarness();
    harness.end().run();
    assertThat(harness.records().getLast().get("pid").asInt()).isEqualTo(RecordHarness.PID);
  }

  @Test
  void keepsAFinalLineWithoutLineEnd() {
    assertThat(messages("a\nb")).containsExactly("a", "b");
  }

  @Test
  void keepsBlankLinesB2() {
    assertThat(messages("a\n\nb\n")).containsExactly("a", "", "b");
  }

  @Test
  void removesTheCarriageReturnOfALineEnd() {
    assertThat(messages("a\r\n")).containsExactly("a");
  }

  private static List<String> messages(String stdout) {
    var harness = new RecordHarness();
    harness.stdout(stdout).end().run();
    return harness.messages();
  }

  @Test
  void joinsACarriageReturnAndALineEndAcrossReads() {
    var harness = new RecordHarness();
    harness.stdout("a\r").run();
    harness.stdout("\nb").stderr("e").stdout("\r").run();
    harness.stdout("\n").end().run();
    assertThat(harness.messages()).containsExactly("a", "b", "e");
  }

  @Test
  void numbersRecordsWithinTheProcessD6() {
    var harness = new RecordHarness();
    harness.stdout("1\n").stderr("2\n").stdout("3\n").end().run();
    assertThat(seqs(harness.output())).containsExactly(1L, 2L, 3L);
  }

  private static List<Long> seqs(List<JsonNode> records) {
    return records.stream().map(record -> record.get("seq").asLong()).toList();
  }

  @Test
  void marksTwentyThousandLinesAtTheRecordCap() {
    var harness = new RecordHarness();
    harness.stdout("x\n".repeat(20_000)).end().run();
    assertThat(harness.output()).hasSize(CAP_RECORDS);
    assertMarker(harness, CAP_RECORDS + 1);
  }

  /// B1: with the fields by which it is found; and on the record after the last.
  private static void assertMarker(RecordHarness harness, long seq) {
    assertThat(harness.markers()).hasSize(1);
    var marker = harness.markers().getFirst();
    assertThat(text(marker, "level")).isEqualTo("WARN");
    assertThat(text(marker, "message"))
        .isEqualTo("[output truncated: command exceeded log capture limit]");
    assertThat(text(marker, "stream")).isIn("stdout", "stderr");
    assertThat(text(marker, "process_id")).isEqualTo(RecordHarness.ID);
    assertThat(text(marker, "logger")).isEqualTo("process");
    assertThat(marker.get("pid").asInt()).isEqualTo(RecordHarness.PID);
    assertThat(marker.get("seq").asLong()).isEqualTo(seq);
  }

  @Test
  void doesNotMarkWhatEndsExactlyAtTheRecordCapD1() {
    var harness = new RecordHarness();
    harness.stdout("x\n".repeat(CAP_RECORDS)).end().run();
    assertThat(harness.output()).hasSize(CAP_RECORDS);
    assertThat(harness.markers()).isEmpty();
  }

  @Test
  void doesNotMarkWhatEndsExactlyAtTheByteCapD1() {
    var harness = new RecordHarness();
    String line = "x".repeat(1023) + "\n";
    harness.stdout(line.repeat(CAP_BYTES / 1024)).stderr("y".repeat(CAP_BYTES / 1024)).end().run();
    assertThat(harness.messageBytes()).isEqualTo(CAP_BYTES);
    assertThat(harness.markers()).isEmpty();
  }

  @Test
  void countsTheMessageAndNothingElseB7() {
    // 524,288 lines of 4 bytes would be 2 MiB exactly, but for the record cap; 4,096 of 512 are.
    var harness = new RecordHarness();
    harness.stdout(("\"".repeat(512) + "\r\n").repeat(4096)).end().run();
    assertThat(harness.messageBytes()).isEqualTo(CAP_BYTES);
    assertThat(harness.markers()).isEmpty();
  }

  @Test
  void keepsABlankLineWhenNoByteIsLeft() {
    var harness = new RecordHarness(caps(4, 100));
    harness.stdout("1234\n\n\n").end().run();
    assertThat(harness.messages()).containsExactly("1234", "", "");
    assertThat(harness.markers()).isEmpty();
  }

  @Test
  void cutsTheLineThatCrossesTheByteCapAtTheLastCharacterThatFits() {
    var harness = new RecordHarness(caps(10, 100));
    harness.stdout("1234\n12€€x\n").end().run();
    assertThat(harness.messages()).containsExactly("1234", "12€");
    assertMarker(harness, 3);
  }

  @Test
  void makesNoBlankLineOfALineOfWhichNothingFits() {
    var harness = new RecordHarness(caps(6, 100));
    harness.stdout("1234\n€\n").end().run();
    assertThat(harness.messages()).containsExactly("1234");
    assertMarker(harness, 2);
  }

  @Test
  void countsInvalidBytesAsTheyAreEmitted() {
    for (int cap = 0; cap < 20; cap++) {
      var harness = new RecordHarness(caps(cap, 100));
      harness.cursor.print(
          StreamName.STDOUT, new byte[] {'a', (byte) 0xff, (byte) 0xfe, 'b', '\n', (byte) 0xc3});
      harness.end().run();
      assertThat(harness.messageBytes()).isLessThanOrEqualTo(cap).isLessThanOrEqualTo(11);
      assertThat(harness.markers()).hasSize(cap < 11 ? 1 : 0);
    }
  }

  @Test
  void aCutPartIsTheLastOfItsLine() {
    var harness = new RecordHarness(new RecordSettings(true, 100, 100, 64));
    harness.stdout("x".repeat(200)).end().run();
    assertThat(harness.messages()).containsExactly("x".repeat(64), "x".repeat(36));
    assertThat(harness.output())
        .extracting(r -> text(r, "partial_last"))
        .containsExactly("false", "true");
    assertMarker(harness, 3);
  }

  @Test
  void neverPassesACapWhenBothStreamsCrossItAtOnceB4() {
    long seed = System.nanoTime();
    var random = new Random(seed);
    for (int round = 0; round < 10; round++) {
      var harness = new RecordHarness();
      int width = 1 + random.nextInt(4000);
      int left = 3 * 1024 * 1024;
      while (left > 0) {
        int length = 1 + random.nextInt(100_000);
        byte[] piece = new byte[length];
        Arrays.fill(piece, (byte) 'x');
        for (int at = random.nextInt(width); at < length; at += width) {
          piece[at] = '\n';
        }
        harness.cursor.print(random.nextBoolean() ? StreamName.STDOUT : StreamName.STDERR, piece);
        left -= length;
      }
      harness.end().run();
      assertThat(harness.messageBytes())
          .as("seed %d", seed)
          .isPositive()
          .isLessThanOrEqualTo(CAP_BYTES);
      assertThat(harness.output().size()).as("seed %d", seed).isLessThanOrEqualTo(CAP_RECORDS);
      assertMarker(harness, harness.output().size() + 1L);
    }
  }

  @Test
  void readsNoMoreOfALogBeyondItsCap() {
    var harness = new RecordHarness(caps(10, 100));
    harness.stdout("x".repeat(11) + "\n").run();
    assertThat(harness.cursor.closed()).isTrue();
    int reads = harness.cursor.reads();
    harness.stdout("more\n").end().run();
    assertThat(harness.cursor.reads()).isEqualTo(reads);
    assertThat(text(harness.records().getLast(), "event_type")).isEqualTo("process_end");
    assertThat(harness.markers()).hasSize(1);
  }

  @Test
  void givesEveryByteOfALongLineOverSeveralRecords() {
    for (String end : List.of("", "\n")) {
      var harness = new RecordHarness();
      String line =
          IntStream.range(0, 40_000).mapToObj(i -> "%05d".formatted(i)).reduce("", String::concat);
      harness.stdout(line + end).end().run();
      assertThat(String.join("", harness.messages())).isEqualTo(line);
      assertThat(harness.messages()).hasSize(4).allMatch(m -> m.length() <= 65_536);
      assertThat(harness.output())
          .extracting(r -> r.get("partial_ordinal").asInt())
          .containsExactly(1, 2, 3, 4);
      assertThat(harness.output())
          .extracting(r -> text(r, "partial_last"))
          .containsExactly("false", "false", "false", "true");
      assertThat(harness.output())
          .extracting(r -> text(r, "partial_id"))
          .containsOnly("p-1:stdout:0");
    }
  }

  @Test
  void makesOneRecordOfALineAtTheLimit() {
    var harness = new RecordHarness();
    harness.stdout("x".repeat(65_536) + "\n").end().run();
    assertThat(harness.output()).hasSize(1).noneMatch(record -> record.has("partial_id"));
  }

  @Test
  void boundsTheEncodedSizeOfARecordD5() {
    var harness =
        new RecordHarness(
            RecordSettings.DEFAULTS,
            EmitterPosition.beginning(RecordSettings.DEFAULTS),
            "\u0001".repeat(100_000));
    harness.stdout("\u0001".repeat(200_000)).end().run(); // records() checks the size of each
    assertThat(harness.messageBytes()).isEqualTo(200_000);
  }

  @Test
  void ordersStartOutputEndAndWhatABackgroundChildPrints() {
    var harness = new RecordHarness();
    harness.stdout("before\nprompt> ");
    harness.cursor.mark();
    assertThat(harness.run()).isEqualTo(Turn.WAIT);
    assertThat(harness.messages()).containsExactly("before");
    harness.stdout("\nafter\n");
    harness.process.end(RecordHarness.END);
    assertThat(harness.run()).isEqualTo(Turn.WAIT);
    harness.stderr("last");
    harness.cursor.drain();
    assertThat(harness.run()).isEqualTo(Turn.DONE);
    assertThat(harness.records())
        .extracting(
            r -> r.has("seq") ? text(r, "message") + r.get("seq").asLong() : text(r, "event_type"))
        .containsExactly("process_start", "before1", "prompt> 2", "process_end", "after3", "last4");
  }

  @Test
  void waitsForTheEndOfAProcessThatClosedItsStreams() {
    var harness = new RecordHarness();
    harness.stdout("a");
    harness.cursor.drain();
    assertThat(harness.run()).isEqualTo(Turn.WAIT);
    assertThat(harness.messages()).containsExactly("a");
    harness.cursor.mark();
    harness.process.end(RecordHarness.END);
    assertThat(harness.run()).isEqualTo(Turn.DONE);
    assertThat(text(harness.records().getLast(), "event_type")).isEqualTo("process_end");
    assertThat(harness.cursor.closed()).isTrue();
  }

  @Test
  void reportsWhatRetentionRemoved() {
    var harness = new RecordHarness();
    harness.stdout("cut").run();
    harness.cursor.gap(StreamName.STDOUT, 1000);
    harness.stdout("rest\n").end().run();
    assertThat(harness.messages()).containsExactly("cut", "rest");
    var missed = RecordHarness.of(harness.records(), "records_missed").getFirst();
    assertThat(text(missed, "stream")).isEqualTo("stdout");
    assertThat(text(missed, "level")).isEqualTo("WARN");
    assertThat(missed.get("start_offset").asLong()).isEqualTo(3);
    assertThat(missed.get("end_offset").asLong()).isEqualTo(1003);
    assertThat(missed.get("missed_bytes").asLong()).isEqualTo(1000);
    assertThat(missed.get("pid").asInt()).isEqualTo(RecordHarness.PID);
    assertThat(missed.get("seq").asLong()).isEqualTo(2);
  }

  @Test
  void givesALineTheTimeOfItsFirstByte() {
    var harness = new RecordHarness();
    harness.stdout("a").stdout("b").stdout("\nc\n").end().run();
    assertThat(harness.output())
        .extracting(r -> text(r, "@timestamp"))
        .containsExactly("2023-11-14T22:13:20.000000Z", "2023-11-14T22:13:20.000002Z");
  }

  @Test
  void goesOnFromAPositionWithTheSameRecords() {
    var settings = new RecordSettings(true, 300, 12, 64);
    byte[] stdout = Lines.utf8("one\n" + "x".repeat(150) + "\n\nthree\r\nfour\nfive\nsix");
    byte[] stderr = Lines.utf8("e1\ne2" + "€".repeat(50) + "\n");
    var whole = new RecordHarness(settings);
    whole.cursor.print(StreamName.STDOUT, stdout).print(StreamName.STDERR, stderr);
    whole.end().run();
    for (int cut = 0; cut < stdout.length; cut++) {
      var first = new RecordHarness(settings);
      first.cursor.print(StreamName.STDOUT, Arrays.copyOf(stdout, cut));
      first.run();
      var position = first.process.position();
      var second = new RecordHarness(settings, position, "t");
      int from = (int) position.stdout().offset();
      second.cursor.at(StreamName.STDOUT, from);
      second.cursor.print(StreamName.STDOUT, Arrays.copyOfRange(stdout, from, stdout.length));
      second.cursor.print(StreamName.STDERR, stderr);
      second.end().run();
      var both = new ArrayList<>(first.records());
      both.addAll(second.records());
      assertThat(both)
          .extracting(r -> line(r))
          .as("cut at %d", cut)
          .isEqualTo(whole.records().stream().map(r -> line(r)).toList());
    }
  }

  /// A record without its times.
  private static String line(JsonNode record) {
    return record.toString().replaceFirst("\"@timestamp\":\"[^\"]*\",", "");
  }

  @Test
  void tellsWhenALogCannotBeRead() {
    var harness = new RecordHarness();
    harness.stdout("a\n").run();
    harness.process.fail("cannot read segment 0.stdout: EIO", harness.shared);
    assertThat(harness.end().run()).isEqualTo(Turn.DONE);
    assertThat(harness.records())
        .extracting(r -> text(r, "event_type"))
        .containsExactly("process_start", "process_output", "records_missed", "process_end");
    assertThat(text(harness.records().get(2), "message"))
        .contains("cannot read segment 0.stdout: EIO");
  }

  @Test
  void cutsAnEndlessCommandLine() {
    var facts =
        new ProcessFacts(
            "p", 1, null, "\"".repeat(1_000_000), "u".repeat(10_000), null, RecordHarness.NOW);
    var harness = new RecordHarness();
    harness.shared.encoder().started(new RecordEncoder.Subject("p", 1, null), facts);
    harness.buffer.flush();
    assertThat(text(harness.records().getFirst(), "command"))
        .endsWith("…")
        .hasSizeGreaterThan(16_000);
  }
}
