package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Records;
import dev.sandpiper.tests.harness.Records.Entry;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/// What other sandbox agents are known to do wrong with what a command prints: one test each.
final class OutputDefectsIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  private static final int MIB = 1 << 20;
  private static final int ONE_LINE_BYTES =
      Boolean.getBoolean("sandpiper.proof") ? 1024 * MIB : 32 * MIB;
  private static final int ONE_LINE_CAP = 32 * MIB;

  private static Follower run(String tag, String program) {
    return AGENT.get().binary().run(Command.python(program).tag(tag));
  }

  private static List<Entry> output(String tag) {
    AGENT.get().records().awaitEnd(tag);
    return AGENT.get().records().outputOf(tag);
  }

  /// T-10: what is no UTF-8, and characters that are cut by a read.
  @Test
  void bytesThatAreNoTextArriveAsTheyAre() {
    Follower run =
        run(
            "t10",
            """
            import os, time
            for part in (b'\\xc3', b'\\xa9 \\xff\\xfe \\xe2\\x82', b'\\xac\\n', b'\\xf0\\x9f', b'\\n'):
                os.write(1, part)
                time.sleep(0.05)
            """);
    byte[] expected = HexFormat.of().parseHex("c3a9 20 fffe 20 e282ac 0a f09f 0a".replace(" ", ""));
    assertThat(run.raw("stdout")).isEqualTo(ByteString.copyFrom(expected));
    assertThat(output("t10").stream().map(Entry::message))
        .containsExactly("é \ufffd\ufffd €", "\ufffd");
  }

  /// T-11: NUL, and every other byte there is.
  @Test
  void everyByteArrivesNulToo() {
    Follower run = run("t11", "import os; os.write(1, bytes(range(256)) * 200)");
    byte[] expected = new byte[256 * 200];
    for (int i = 0; i < expected.length; i++) {
      expected[i] = (byte) i;
    }
    assertThat(run.raw("stdout")).isEqualTo(ByteString.copyFrom(expected));
    assertThat(output("t11").getFirst().message()).startsWith("\u0000\u0001");
  }

  /// T-12: there is nothing that a command could print to be taken for the agent's own words.
  @Test
  void whatLooksLikeOurOwnWordsIsText() {
    List<String> lines =
        List.of(
            Records.TRUNCATED,
            "{\"@timestamp\":\"2026-01-01T00:00:00Z\",\"level\":\"INFO\",\"logger\":\"process\",\"event_type\":\"process_end\",\"pid\":1,\"process_id\":\"x\",\"exit_code\":0}",
            "event: end",
            "data: {}",
            "--exit 0--",
            "after it");
    String text = String.join("\n", lines) + "\n";
    Follower run = AGENT.get().binary().run(Command.of("printf", "%s", text).tag("t12"));
    assertThat(run.stdout()).isEqualTo(text);
    List<Entry> records = AGENT.get().records().awaitEnd("t12");
    assertThat(records).hasSize(lines.size() + 2);
    assertThat(records.subList(1, lines.size() + 1).stream().map(Entry::message))
        .containsExactlyElementsOf(lines);
    assertThat(records).allMatch(entry -> entry.string("level").equals("INFO"));
  }

  /// T-13: a line that does not end.
  @Test
  void aLineWithoutEndTakesNeitherMemoryNorMoreThanLinearTime() {
    try (AgentProcess agent =
        AgentProcess.builder()
            .flag("--output-record-bytes", ONE_LINE_CAP)
            .flag("--output-retention", "256MiB")
            .start()) {
      double quarter = printOneLine(agent, "quarter", ONE_LINE_BYTES / 4);
      ProcFs.resetPeak(agent.pid());
      long before = ProcFs.residentBytes(agent.pid());
      double whole = printOneLine(agent, "whole", ONE_LINE_BYTES);
      long grown = ProcFs.peakResidentBytes(agent.pid()) - before;
      assertThat(grown).isLessThan(128L * MIB);
      List<Entry> parts =
          agent.records().awaitEnd("whole").stream()
              .filter(entry -> entry.is("process_output") && !entry.isMarker())
              .toList();
      assertThat(parts.stream().mapToLong(entry -> entry.message().length()).sum())
          .isEqualTo(Math.min(ONE_LINE_BYTES, ONE_LINE_CAP));
      assertThat(parts.stream().map(entry -> entry.number("partial_ordinal")))
          .containsExactlyElementsOf(LongStream.rangeClosed(1, parts.size()).boxed().toList());
      Measured.print(
          "one line of %d MiB: %.2f s, a quarter of it %.2f s, %d MiB more at the peak",
          ONE_LINE_BYTES / MIB, whole, quarter, grown / MIB);
    }
  }

  private static double printOneLine(AgentProcess agent, String tag, int bytes) {
    long began = System.nanoTime();
    Command command = Command.sh("head -c " + bytes + " /dev/zero | tr '\\0' x").tag(tag);
    try (Follower run = agent.binary().start(command).withoutKeepingOutput()) {
      run.end();
      assertThat(run.bytes()).isEqualTo(bytes);
    }
    return Measured.seconds(Measured.since(began));
  }

  /// T-14: blank lines, line ends of two bytes, progress bars.
  @Test
  void linesAreNeitherLostNorMultiplied() {
    String text = "a\n\n\r\nb\r\n 10%\r 50%\r100%\n\r\r\nlast\r";
    Follower run = AGENT.get().binary().run(Command.of("printf", "%s", text).tag("t14"));
    assertThat(run.stdout()).isEqualTo(text);
    assertThat(output("t14").stream().map(Entry::message))
        .containsExactly("a", "", "", "b", " 10%\r 50%\r100%", "\r", "last\r");
  }

  /// T-28: whoever asks for a command's output gets the marker too, and may count.
  @Test
  void theMarkerComesWithTheOutputAndTheCountsAreExact() {
    Follower run = AGENT.get().binary().run(Command.sh("seq 1 12000").tag("t28"));
    assertThat(run.stdout().lines()).hasSize(12_000);
    List<Entry> output = output("t28");
    assertThat(output).hasSize(10_001);
    assertThat(output.getLast().isMarker()).isTrue();
    assertThat(output.stream().filter(Entry::isMarker)).hasSize(1);
    assertThat(output.stream().map(entry -> entry.number("seq")))
        .containsExactlyElementsOf(LongStream.rangeClosed(1, 10_001).boxed().toList());
    assertThat(output.get(9_999).message()).isEqualTo("10000");
  }

  /// T-35: the order of records is that of their numbers, also under two writers.
  @Test
  void numbersFollowTheOrderOfRecordsUnderTwoWriters() {
    run(
        "t35",
        """
        import os, threading
        def write(fd):
            for i in range(4000):
                os.write(fd, b'%d\\n' % i)
        both = [threading.Thread(target=write, args=(fd,)) for fd in (1, 2)]
        for one in both: one.start()
        for one in both: one.join()
        """);
    List<Entry> output = output("t35");
    assertThat(output.stream().map(entry -> entry.number("seq")))
        .containsExactlyElementsOf(LongStream.rangeClosed(1, 8000).boxed().toList());
    for (String stream : List.of("stdout", "stderr")) {
      assertThat(
              output.stream()
                  .filter(entry -> entry.string("stream").equals(stream))
                  .map(Entry::message))
          .as(stream)
          .containsExactlyElementsOf(LongStream.range(0, 4000).mapToObj(Long::toString).toList());
    }
  }
}
