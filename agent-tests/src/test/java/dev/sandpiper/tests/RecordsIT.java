package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Background;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.Numbers;
import dev.sandpiper.tests.harness.Records;
import dev.sandpiper.tests.harness.Records.Entry;
import dev.sandpiper.tests.harness.Shell;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/// `process_output` records as they leave the agent's standard output: what of which command, how much, in what order.
final class RecordsIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  private static final int CAP_BYTES = 2 * 1024 * 1024;
  private static final int CAP_RECORDS = 10_000;
  private static final int LINE_LIMIT = 65_536;

  private static final AtomicInteger TAGS = new AtomicInteger();

  @TempDir Path directory;

  /// A command's records, once its end has left.
  private record Recorded(Follower run, List<Entry> all) {
    List<Entry> output() {
      return all.stream().filter(it -> it.is("process_output") && !it.isMarker()).toList();
    }

    List<Entry> markers() {
      return all.stream().filter(Entry::isMarker).toList();
    }

    List<String> messages() {
      return output().stream().map(Entry::message).toList();
    }

    List<String> messages(String stream) {
      return output().stream()
          .filter(it -> it.string("stream").equals(stream))
          .map(Entry::message)
          .toList();
    }

    long bytes() {
      return output().stream()
          .mapToLong(it -> it.message().getBytes(StandardCharsets.UTF_8).length)
          .sum();
    }
  }

  private static Recorded record(Command command) {
    String tag = "records-" + TAGS.incrementAndGet();
    Follower run = AGENT.get().binary().run(command.tag(tag));
    return new Recorded(run, AGENT.get().records().awaitEnd(tag));
  }

  private static Recorded printf(String format) {
    return record(Command.of("printf", format));
  }

  @Test
  void aFinalLineWithoutANewlineIsKept() {
    assertThat(printf("a\\nb").messages()).containsExactly("a", "b");
  }

  @Test
  void blankLinesAreKept() {
    assertThat(printf("a\\n\\nb\\n").messages()).containsExactly("a", "", "b");
    assertThat(printf("\\n\\n").messages()).containsExactly("", "");
  }

  @Test
  void oneCarriageReturnBeforeANewlineIsTakenAway() {
    assertThat(printf("a\\r\\n").messages()).containsExactly("a");
    assertThat(printf("a\\r\\r\\n").messages()).containsExactly("a\r");
    assertThat(printf("a\\rb\\n").messages()).containsExactly("a\rb");
  }

  @Test
  void aRecordHasTheDocumentedFields() {
    Recorded recorded = record(Command.sh("echo out; echo err >&2"));

    for (Entry entry : recorded.output()) {
      assertThat(entry.string("level")).isEqualTo("INFO");
      assertThat(entry.string("logger")).isEqualTo("process");
      assertThat(entry.number("pid")).isEqualTo(recorded.run().pid());
      assertThat(entry.string("process_id")).isNotEmpty();
      assertThat(Instant.parse(entry.string("@timestamp")))
          .isBetween(
              Instant.now().minus(Duration.ofMinutes(10)),
              Instant.now().plus(Duration.ofMinutes(1)));
    }
    assertThat(recorded.messages("stdout")).containsExactly("out");
    assertThat(recorded.messages("stderr")).containsExactly("err");
    assertThat(recorded.output().stream().map(it -> it.number("seq"))).containsExactly(1L, 2L);
  }

  @Test
  void startAndEndDelimitTheOutput() {
    Recorded recorded = record(Command.sh("seq 1 500; exit 3"));

    Entry first = recorded.all().getFirst();
    Entry last = recorded.all().getLast();
    assertThat(first.is("process_start")).isTrue();
    assertThat(last.is("process_end")).isTrue();
    assertThat(recorded.all()).hasSize(502);
    for (Entry entry : List.of(first, last)) {
      assertThat(entry.number("pid")).isEqualTo(recorded.run().pid());
      assertThat(entry.string("process_id"))
          .isEqualTo(recorded.output().getFirst().string("process_id"));
    }
    assertThat(last.number("exit_code")).isEqualTo(3);
    assertThat(last.string("status")).isEqualTo("exit status 3");
    assertThat(last.number("stdout_bytes")).isEqualTo(recorded.run().bytes());
    assertThat(recorded.output().stream().map(it -> it.number("seq")).toList())
        .isEqualTo(java.util.stream.LongStream.rangeClosed(1, 500).boxed().toList());
  }

  @RepeatedTest(20)
  void bothStreamsTogetherNeverPassTheByteCap() {
    Recorded recorded =
        record(
            Command.python(
                """
                import os, threading
                def flood(fd):
                    line = b'x' * 999 + b'\\n'
                    for _ in range(3 * 1024 * 1024 // 1000): os.write(fd, line)
                threads = [threading.Thread(target=flood, args=(fd,)) for fd in (1, 2)]
                [t.start() for t in threads]
                [t.join() for t in threads]
                """));

    assertThat(recorded.run().bytes()).isEqualTo(2L * (3 * 1024 * 1024 / 1000) * 1000);
    assertThat(recorded.bytes()).isPositive().isLessThanOrEqualTo(CAP_BYTES);
    assertThat(recorded.output().size()).isLessThanOrEqualTo(CAP_RECORDS);
    assertMarked(recorded);
  }

  private static void assertMarked(Recorded recorded) {
    assertThat(recorded.markers()).hasSize(1);
    Entry marker = recorded.markers().getFirst();
    assertThat(marker.string("level")).isEqualTo("WARN");
    assertThat(marker.number("pid")).isEqualTo(recorded.run().pid());
    assertThat(marker.string("stream")).isIn("stdout", "stderr");
  }

  @Test
  void theByteCapIsReachedExactly() {
    Recorded recorded =
        record(Command.python("import os\nfor _ in range(3000): os.write(1, b'y' * 999 + b'\\n')"));
    assertThat(recorded.bytes()).isEqualTo(CAP_BYTES);
    assertMarked(recorded);
  }

  @Test
  void aFloodOfTinyLinesStopsAtTheRecordCap() {
    Recorded recorded = record(Command.sh("yes x | head -n 20000"));
    assertThat(recorded.output()).hasSize(CAP_RECORDS);
    assertMarked(recorded);
    assertThat(recorded.run().bytes()).isEqualTo(40_000);
  }

  @Test
  void exactlyTheCapsLeaveNoMarker() {
    Recorded bytes =
        record(
            Command.python("import os\nfor _ in range(2048): os.write(1, b'z' * 1024 + b'\\n')"));
    assertThat(bytes.bytes()).isEqualTo(CAP_BYTES);
    assertThat(bytes.markers()).isEmpty();

    Recorded lines = record(Command.sh("yes x | head -n 10000"));
    assertThat(lines.output()).hasSize(CAP_RECORDS);
    assertThat(lines.markers()).isEmpty();
  }

  @Test
  void oneByteMoreThanTheCapsIsMarked() {
    Recorded bytes =
        record(
            Command.python(
                """
                import os
                for _ in range(2048): os.write(1, b'z' * 1024 + b'\\n')
                os.write(1, b'!')
                """));
    assertThat(bytes.bytes()).isEqualTo(CAP_BYTES);
    assertMarked(bytes);

    Recorded lines = record(Command.sh("yes x | head -n 10000; echo"));
    assertThat(lines.output()).hasSize(CAP_RECORDS);
    assertMarked(lines);
  }

  @Test
  void longLinesLeaveInPartsWithEveryByte() {
    for (String end : List.of("", "\\n")) {
      Recorded recorded =
          record(
              Command.python(
                  "import sys; sys.stdout.write(''.join(chr(97 + i % 26) for i in range(200000)) + '"
                      + end
                      + "')"));
      StringBuilder expected = new StringBuilder();
      for (int i = 0; i < 200_000; i++) {
        expected.append((char) ('a' + i % 26));
      }
      assertThat(String.join("", recorded.messages())).isEqualTo(expected.toString());
      assertThat(recorded.messages())
          .hasSizeGreaterThan(1)
          .allMatch(it -> it.length() <= LINE_LIMIT);
      assertThat(recorded.output().stream().map(it -> it.string("partial_id")).distinct())
          .hasSize(1)
          .doesNotContain("");
      List<Long> ordinals =
          recorded.output().stream().map(it -> it.number("partial_ordinal")).toList();
      assertThat(ordinals).first().isEqualTo(1L);
      assertThat(ordinals).last().isEqualTo((long) ordinals.size());
    }
  }

  @Test
  void aLineOfExactlyTheLimitIsOneRecord() {
    Recorded recorded = record(Command.python("print('x' * 65536)"));
    assertThat(recorded.messages()).containsExactly("x".repeat(LINE_LIMIT));
    assertThat(record(Command.python("print('x' * 65537)")).messages()).hasSize(2);
  }

  @Test
  void longLinesAreCutBetweenCharacters() {
    Recorded recorded = record(Command.python("print('€' * 50000)"));
    assertThat(String.join("", recorded.messages())).isEqualTo("€".repeat(50_000));
    assertThat(recorded.messages()).noneMatch(it -> it.contains("\ufffd"));
  }

  @Test
  void bytesThatAreNoTextBecomeReplacementCharacters() {
    assertThat(printf("a\\377b\\342\\202\\n").messages()).containsExactly("a\ufffdb\ufffd");
  }

  @Test
  void controlCharactersDoNotBlowARecordUp() {
    Recorded recorded = record(Command.python("import os; os.write(1, b'\\x01' * 65536 + b'\\n')"));
    assertThat(String.join("", recorded.messages())).isEqualTo("\u0001".repeat(65_536));
    assertThat(recorded.messages()).allMatch(it -> it.length() * 6 < 196_608);
  }

  @Test
  void outputIsCapturedWithNoClientAttached() {
    Command command = Command.sh("read line; seq 1 5000; echo last >&2").stdin().tag("no-client");
    int pid;
    try (Follower run = AGENT.get().json().start(command)) {
      pid = run.pid();
    }
    AGENT.get().json().sendStdin(pid, "\n");
    List<Entry> all = AGENT.get().records().awaitEnd("no-client");
    assertThat(
            all.stream()
                .filter(it -> it.string("stream").equals("stdout"))
                .map(Entry::message)
                .toList())
        .hasSize(5000)
        .startsWith("1", "2")
        .endsWith("5000");
    assertThat(all.stream().filter(it -> it.string("stream").equals("stderr")).map(Entry::message))
        .containsExactly("last");
  }

  @Test
  void captureDoesNotAlterWhatClientsReceive() {
    Recorded recorded = record(Command.sh("seq 1 300000"));
    assertThat(recorded.run().stdout().lines().toList()).hasSize(300_000).endsWith("300000");
    assertMarked(recorded);
  }

  @Test
  void aTerminalLeavesNoOutputRecords() {
    Recorded recorded = record(Command.sh("echo visible; exit 2").pty(80, 24));
    assertThat(recorded.run().pty()).isEqualTo("visible\r\n");
    assertThat(recorded.output()).isEmpty();
    assertThat(recorded.all()).hasSize(2);
    assertThat(recorded.all().getLast().number("pty_bytes")).isEqualTo(9);
  }

  @Test
  void aFailedStartLeavesNoRecord() {
    String tag = "failed-" + TAGS.incrementAndGet();
    try (Follower run =
        AGENT.get().json().start(Command.sh("echo never").cwd("/no/such/place").tag(tag))) {
      assertThat(run.error().code()).isEqualTo("invalid_argument");
    }
    record(Command.of("true"));
    assertThat(AGENT.get().records().of(tag)).isEmpty();
  }

  @Test
  void processesNeverShareAnId() {
    String ids =
        java.util.stream.IntStream.range(0, 50)
            .mapToObj(_ -> record(Command.of("echo", "x")).output().getFirst().string("process_id"))
            .distinct()
            .collect(Collectors.joining(" "));
    assertThat(ids.split(" ")).hasSize(50);
  }

  @Test
  void linesOfOneStreamStayInOrderAmongMany() {
    List<CompletableFuture<Recorded>> runs =
        java.util.stream.IntStream.range(0, 10)
            .mapToObj(_ -> Background.supply(() -> record(Command.sh("seq 1 3000"))))
            .toList();
    for (CompletableFuture<Recorded> run : runs) {
      List<String> messages = run.join().messages();
      assertThat(messages).hasSize(3000);
      for (int i = 0; i < messages.size(); i++) {
        assertThat(messages.get(i)).isEqualTo(Integer.toString(i + 1));
      }
    }
  }

  @Test
  void aThreadDumpOfTheJvmStaysOffStandardOutput() {
    try (AgentProcess agent = AgentProcess.start()) {
      agent.json().run(Command.of("echo", "before").tag("before"));
      agent.signal("QUIT");
      await("a thread dump").until(() -> agent.stderr().contains("Full thread dump"));
      agent.json().run(Command.of("echo", "after").tag("after"));
      assertThat(agent.records().awaitEnd("before")).hasSize(3);
      assertThat(agent.records().awaitEnd("after")).hasSize(3);
    }
  }

  @Test
  void aCrashOfTheJvmStaysOffStandardOutput() {
    try (AgentProcess agent =
        AgentProcess.builder().via("/bin/sh", "-c", "ulimit -c 0 && exec \"$@\"", "sh").start()) {
      agent.json().run(Command.of("echo", "before").tag("before"));
      assertThat(agent.records().awaitEnd("before")).hasSize(3);
      agent.signal("SEGV");
      assertThat(agent.awaitExit()).isNotZero();
      assertThat(agent.stderr()).contains("SIGSEGV");
    }
  }

  /// What the pipe does not take waits in the log; the commands' own streams go on as if nothing were.
  @Test
  void aReaderThatStallsBlocksNoCommandAndMissesNothingThatTheLogKeeps() {
    try (AgentProcess agent = AgentProcess.start()) {
      agent.records().hold();
      long started = System.nanoTime();
      for (int i = 0; i < 5; i++) {
        Follower run = agent.binary().run(Command.sh("seq 1 9000").tag("stalled-" + i));
        assertThat(run.stdout().lines().toList()).hasSize(9000).endsWith("9000");
      }
      Measured.print(
          "5 commands while nobody read the records: %.2f s",
          Measured.seconds(Measured.since(started)));
      agent.records().awaitHeld();
      agent.records().goOn();
      for (int i = 0; i < 5; i++) {
        List<Entry> all = agent.records().awaitEnd("stalled-" + i);
        assertThat(all).hasSize(9002);
        assertThat(all.get(9000).message()).isEqualTo("9000");
      }
    }
  }

  /// A shipper that dies and one that takes its place later, on the same FIFO.
  @Test
  void aReaderThatGoesAwayLosesNoStreamAndTheNextOneIsToldWhatIsMissing() throws Exception {
    Path fifo = directory.resolve("records");
    Shell.run("mkfifo", fifo.toString()).requireSuccess();
    CompletableFuture<Records> opening = Background.supply(() -> reading(fifo));
    try (AgentProcess agent =
        AgentProcess.builder().via("/bin/sh", "-c", "exec \"$@\" > " + fifo, "sh").start()) {
      Records first = opening.join();
      agent.json().run(Command.of("echo", "seen").tag("seen"));
      assertThat(first.awaitEnd("seen")).hasSize(3);
      first.hold();
      agent.json().run(Command.sh("seq 1 20").tag("last-seen"));
      first.goAway();

      for (int i = 0; i < 3; i++) {
        Follower run = agent.binary().run(Command.sh("seq 1 9000").tag("unseen"));
        assertThat(run.stdout().lines().toList()).hasSize(9000).endsWith("9000");
      }
      Records second = reading(fifo);
      agent.json().run(Command.of("echo", "again").tag("again"));
      assertThat(second.awaitEnd("again")).hasSize(3);
      Entry told = second.await("what was lost", it -> it.has("dropped_lines"));
      assertThat(told.number("dropped_lines")).isPositive();
      Measured.print("after a reader went away: %s", told.message());
    }
  }

  private static Records reading(Path fifo) {
    try {
      return new Records(new FileInputStream(fifo.toFile()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The log keeps less than the command prints, and nobody reads the records meanwhile.
  @Test
  void whatRetentionRemovedBeforeItWasRecordedIsCountedAndTold() {
    try (AgentProcess agent =
        AgentProcess.builder()
            .flag("--output-retention", "64KiB")
            .flag("--output-record-bytes", "64MiB")
            .flag("--output-record-count", "1000000")
            .start()) {
      agent.records().hold();
      Numbers numbers = Numbers.ofAtLeast(4 << 20);
      Follower run = agent.binary().run(Command.of("seq", "1", "" + numbers.last()).tag("gap"));
      assertThat(run.bytes()).isEqualTo(numbers.bytes());

      agent.records().goOn();
      List<Entry> all = agent.records().awaitEnd("gap");
      List<Entry> gaps = all.stream().filter(it -> it.is("records_missed")).toList();
      assertThat(gaps).isNotEmpty();
      for (Entry gap : gaps) {
        assertThat(gap.string("level")).isEqualTo("WARN");
        assertThat(gap.number("pid")).isEqualTo(run.pid());
        assertThat(gap.number("missed_bytes"))
            .isEqualTo(gap.number("end_offset") - gap.number("start_offset"))
            .isPositive();
      }
      Measured.print("4 MiB with 64 KiB of retention and a stalled reader: %d gaps", gaps.size());
    }
  }

  @Test
  void capsAndLineLimitAreSettings() {
    try (AgentProcess agent =
        AgentProcess.builder()
            .flag("--output-record-bytes", "10B")
            .flag("--output-record-count", "3")
            .flag("--output-record-line", "64B")
            .start()) {
      agent.json().run(Command.of("printf", "12345\\n67890abc\\n").tag("bytes"));
      List<Entry> bytes = agent.records().awaitEnd("bytes");
      assertThat(bytes.stream().filter(it -> it.is("process_output")).map(Entry::message))
          .containsExactly("12345", "67890", Records.TRUNCATED);
      agent.json().run(Command.of("printf", "1\\n2\\n3\\n4\\n").tag("records"));
      List<Entry> records = agent.records().awaitEnd("records");
      assertThat(records.stream().filter(it -> it.is("process_output")).map(Entry::message))
          .containsExactly("1", "2", "3", Records.TRUNCATED);
    }
  }

  @Test
  void outputRecordsCanBeSwitchedOff() {
    try (AgentProcess agent = AgentProcess.builder().flag("--output-records", "false").start()) {
      agent.json().run(Command.of("echo", "unseen").tag("off"));
      assertThat(agent.records().awaitEnd("off"))
          .extracting(it -> it.string("event_type"))
          .containsExactly("process_start", "process_end");
    }
  }
}
