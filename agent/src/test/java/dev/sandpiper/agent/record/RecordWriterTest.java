package dev.sandpiper.agent.record;

import static dev.sandpiper.agent.record.RecordHarness.NOW;
import static dev.sandpiper.agent.record.RecordHarness.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.telemetry.AgentLogging;
import dev.sandpiper.agent.telemetry.Counters;
import dev.sandpiper.agent.telemetry.LogQueue;
import dev.sandpiper.agent.telemetry.MetricsText;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;

final class RecordWriterTest {
  private final FakeSink sink = new FakeSink();
  private final LogQueue log = AgentLogging.configure(Level.INFO);
  private final Logger logger = LoggerFactory.getLogger("agent");
  private final Counters counters = new Counters();
  private final List<String> lastWords = new CopyOnWriteArrayList<>();
  private final RecordWriter writer =
      new RecordWriter(sink, log, () -> NOW, counters, lastWords::add);
  private final RecordEmitter emitter =
      new RecordEmitter(RecordSettings.DEFAULTS, writer, () -> NOW, counters);

  @AfterEach
  void close() {
    sink.take(Long.MAX_VALUE, 0);
    writer.close();
    AgentLogging.configure(Level.OFF);
  }

  private List<JsonNode> records() {
    return RecordHarness.parse(sink.taken());
  }

  private FakeCursor start(String id, int pid) {
    var cursor = new FakeCursor();
    emitter.begin(
        RecordHarness.facts(id, pid, null),
        cursor,
        EmitterPosition.beginning(RecordSettings.DEFAULTS));
    return cursor;
  }

  private void end(String id, FakeCursor cursor) {
    cursor.mark().drain();
    emitter.processEnded(id, RecordHarness.END);
  }

  private long count(String name) {
    MetricsText text = new MetricsText(false);
    counters.write(text);
    return text.finish()
        .lines()
        .filter(line -> line.startsWith("sandpiper_" + name))
        .mapToLong(line -> Long.parseLong(line.substring(line.lastIndexOf(' ') + 1)))
        .sum();
  }

  @Test
  void writesLogLinesAndRecordsAsWholeLines() {
    writer.start();
    logger.info("before");
    var cursor = start("a", 1);
    cursor.print(StreamName.STDOUT, "hello\n");
    end("a", cursor);
    await().until(() -> emitter.open() == 0);
    writer.close();
    assertThat(records())
        .extracting(r -> text(r, "message"))
        .containsExactly(
            "before", "Process with pid 1 started", "hello", "Process with pid 1 ended");
    assertThat(cursor.closed()).isTrue();
    assertThat(lastWords).isEmpty();
  }

  @Test
  void recordsWhatIsPrintedWithNobodyAttachedR5() {
    writer.start();
    var cursor = start("a", 1);
    await().until(() -> !RecordHarness.of(records(), "process_start").isEmpty());
    for (int i = 0; i < 100; i++) {
      cursor.print(StreamName.STDOUT, i + "\n");
    }
    end("a", cursor);
    await().until(() -> emitter.open() == 0);
    writer.close();
    assertThat(RecordHarness.of(records(), "process_output"))
        .extracting(r -> text(r, "message"))
        .containsExactlyElementsOf(IntStream.range(0, 100).mapToObj(String::valueOf).toList());
  }

  @Test
  void aTerminalHasNoOutputRecords() {
    writer.start();
    emitter.processStarted(RecordHarness.facts("a", 1, null), null);
    emitter.processEnded("a", RecordHarness.END);
    await().until(() -> emitter.open() == 0);
    writer.close();
    assertThat(records())
        .extracting(r -> text(r, "event_type"))
        .containsExactly("process_start", "process_end");
  }

  @Test
  void aReusedPidKeepsItsProcessesApart() {
    writer.start();
    for (String id : List.of("first", "second")) {
      var cursor = start(id, 7);
      cursor.print(StreamName.STDOUT, "of " + id + "\n");
      end(id, cursor);
    }
    await().until(() -> emitter.open() == 0);
    writer.close();
    assertThat(RecordHarness.of(records(), "process_output"))
        .allMatch(r -> text(r, "message").equals("of " + text(r, "process_id")))
        .allMatch(r -> r.get("seq").asInt() == 1)
        .hasSize(2);
  }

  @Test
  void aFailedStartLeavesNothingB3() {
    // A process exists here only once it was spawned. (0 is one whose pid was lost with the agent
    // that spawned it.)
    assertThat(emitter.open()).isZero();
    org.assertj.core.api.Assertions.assertThatIllegalArgumentException()
        .isThrownBy(() -> RecordHarness.facts("a", -1, null));
    writer.start();
    emitter.processEnded("never started", RecordHarness.END);
    writer.close();
    assertThat(records()).isEmpty();
  }

  @Test
  void gathersABurstOfStartsIntoFewWrites() {
    writer.start();
    for (int i = 1; i <= 1000; i++) {
      end("p" + i, start("p" + i, i));
    }
    await().until(() -> emitter.open() == 0);
    writer.close();
    assertThat(records()).hasSize(2000);
    assertThat(sink.writes()).isLessThan(500);
  }

  @Test
  void aStalledReaderStopsRecordsAndNothingElse() {
    sink.take(10, 0);
    writer.start();
    var cursor = start("a", 1);
    await().until(sink::blocked);
    // All of this is what a command, its streams and the agent's threads do; none of it waits.
    for (int i = 0; i < 5000; i++) {
      cursor.print(StreamName.STDOUT, i + "\n");
      logger.info("line {}", i);
    }
    end("a", cursor);
    assertThat(sink.blocked()).isTrue();
    assertThat(Lines.decode(sink.taken())).hasSize(10);
    assertThat(log.size()).isEqualTo(4096);

    sink.take(Long.MAX_VALUE, 0);
    await().until(() -> emitter.open() == 0 && log.isEmpty());
    writer.close();
    assertThat(
            RecordHarness.of(
                records().stream().filter(r -> r.has("event_type")).toList(), "process_output"))
        .hasSize(5000);
    var told = dropped();
    assertThat(told).hasSize(1);
    assertThat(told.getFirst().get("dropped_log_lines").asInt()).isEqualTo(5000 - 4096);
    assertThat(count("records_dropped_total{kind=\"log_line\"}")).isEqualTo(5000 - 4096);
    assertThat(lastWords).isEmpty();
  }

  private List<JsonNode> dropped() {
    return RecordHarness.of(
        records().stream().filter(r -> r.has("event_type")).toList(), "records_dropped");
  }

  @Test
  void startsBeyondTheBoundOfAStalledReaderAreCounted() {
    sink.take(10, 0);
    writer.start();
    start("first", 1);
    await().until(sink::blocked);
    String command = "x".repeat(1024 * 1024);
    for (int i = 0; i < 20; i++) {
      var facts = new ProcessFacts("p" + i, 1, null, command, "u", null, NOW);
      emitter.processStarted(facts, null);
      emitter.processEnded("p" + i, RecordHarness.END);
    }
    sink.take(Long.MAX_VALUE, 0);
    await().until(() -> emitter.open() == 1 && !dropped().isEmpty());
    writer.close();
    int processes = dropped().getFirst().get("dropped_processes").asInt();
    assertThat(processes).isEqualTo(13);
    assertThat(RecordHarness.of(records(), "process_end")).hasSize(7);
  }

  @Test
  void aReaderThatIsGoneCostsLinesAndTheyAreTold() {
    sink.take(0, Errno.EPIPE);
    writer.start();
    for (int i = 0; i < 100; i++) {
      logger.info("lost {}", i);
    }
    await().until(() -> count("records_dropped_total") == 100);
    sink.take(Long.MAX_VALUE, 0);
    logger.info("back");
    await().until(() -> records().size() == 2);
    writer.close();
    assertThat(text(records().getFirst(), "message")).isEqualTo("back");
    assertThat(dropped().getFirst().get("dropped_lines").asInt()).isEqualTo(100);
    assertThat(text(dropped().getFirst(), "level")).isEqualTo("WARN");
    assertThat(count("records_dropped_total")).isEqualTo(100);
    assertThat(lastWords).isEmpty();
  }

  @Test
  void theEndTellsWhatAGoneReaderDidNotGet() {
    sink.take(0, Errno.EPIPE);
    writer.start();
    var cursor = start("a", 1);
    cursor.print(StreamName.STDOUT, "1\n2\n");
    end("a", cursor);
    writer.close();
    assertThat(lastWords).hasSize(1);
    assertThat(lastWords.getFirst()).contains("4 lines", "EPIPE");
    sink.take(Long.MAX_VALUE, 0);
    writer.close();
    assertThat(lastWords).hasSize(1);
  }

  @Test
  void theEndDoesNotWaitForAStalledReader() {
    sink.take(10, 0);
    writer.start();
    start("a", 1);
    await().until(sink::blocked);
    logger.info("waits");
    long began = System.nanoTime();
    writer.close(Duration.ofMillis(100));
    assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(20));
    assertThat(lastWords).hasSize(1);
    assertThat(lastWords.getFirst()).contains("not read in time", "1 of the agent's own log lines");
  }

  @Test
  void countsEveryLineThroughRandomFailures() {
    long seed = System.nanoTime();
    var random = new Random(seed);
    writer.start();
    int sent = 0;
    int rounds = Boolean.getBoolean("sandpiper.proof") ? 300 : 100;
    for (int round = 0; round < rounds; round++) {
      sink.take(random.nextInt(2000), random.nextBoolean() ? Errno.EPIPE : Errno.ENOSPC);
      sink.mostPerWrite(1 + random.nextInt(400));
      for (int i = random.nextInt(20); i > 0; i--) {
        logger.info("line {} {}", sent++, "x".repeat(random.nextInt(300)));
      }
      await().pollInterval(Duration.ofMillis(1)).until(log::isEmpty);
    }
    sink.take(Long.MAX_VALUE, 0);
    logger.info("last");
    writer.close();
    long told = dropped().stream().mapToLong(r -> r.get("dropped_lines").asLong()).sum();
    long written = records().stream().filter(r -> !r.has("event_type")).count();
    assertThat(written + told).as("seed %d", seed).isEqualTo(sent + 1L);
  }

  @Test
  void aThousandProcessesOnManyThreadsKeepTheirOrder() throws InterruptedException {
    long seed = System.nanoTime();
    writer.start();
    var threads =
        IntStream.range(0, 8)
            .mapToObj(t -> Thread.ofPlatform().start(() -> printMany(t, new Random(seed + t))))
            .toList();
    for (var thread : threads) {
      thread.join();
    }
    await().atMost(Duration.ofSeconds(60)).until(() -> emitter.open() == 0);
    writer.close();
    var byProcess =
        records().stream()
            .collect(java.util.stream.Collectors.groupingBy(r -> text(r, "process_id")));
    assertThat(byProcess).hasSize(1000);
    byProcess.forEach((id, records) -> {
      assertThat(text(records.getFirst(), "event_type")).isEqualTo("process_start");
      assertThat(text(records.getLast(), "event_type")).isEqualTo("process_end");
      var output = RecordHarness.of(records, "process_output");
      assertThat(output).as("seed %d, %s", seed, id).hasSize(records.size() - 2).hasSize(40);
      for (int i = 0; i < output.size(); i++) {
        assertThat(output.get(i).get("seq").asInt()).isEqualTo(i + 1);
        assertThat(text(output.get(i), "message")).isEqualTo(id + " line " + i);
      }
    });
  }

  private void printMany(int thread, Random random) {
    for (int p = 0; p < 125; p++) {
      String id = "t" + thread + "-" + p;
      var cursor = start(id, 1 + p);
      byte[] all =
          Lines.utf8(
              IntStream.range(0, 40)
                  .mapToObj(i -> id + " line " + i + "\n")
                  .reduce("", String::concat));
      for (int at = 0; at < all.length; ) {
        int to = Math.min(all.length, at + 1 + random.nextInt(200));
        cursor.print(StreamName.STDOUT, java.util.Arrays.copyOfRange(all, at, to));
        at = to;
      }
      end(id, cursor);
    }
  }

  @Test
  void writesNothingBeforeItIsReleased() {
    writer.startHeld();
    logger.info("early");
    var cursor = start("a", 1);
    cursor.print(StreamName.STDOUT, "x\n".repeat(100_000));
    await().until(log::isEmpty);
    assertThat(sink.taken()).isEmpty();
    writer.release();
    await().until(() -> count("output_records_total") == 10_000);
    writer.close();
    assertThat(text(records().getFirst(), "message")).isEqualTo("early");
  }

  @Test
  void whatWasHeldLeavesAtTheEnd() {
    writer.startHeld();
    logger.info("why it did not start");
    writer.close();
    assertThat(records()).hasSize(1);
  }

  @Test
  void intoAPipeThatIsFullGoesNoHalfALine() throws InterruptedException {
    int[] pipe = new int[2];
    assertThat(Posix.pipe2(pipe, 0)).isZero();
    var output = new LineOutput(RecordSink.descriptor(pipe[1]));
    byte[] lines = Lines.utf8(("y".repeat(299) + "\n").repeat(200));
    var thread =
        Thread.ofPlatform()
            .daemon()
            .start(() -> {
              for (int i = 0; i < 5; i++) {
                output.write(lines, lines.length);
              }
            });
    await().until(() -> Posix.unread(pipe[0]) > 60_000);
    // It stops in a write of which nothing is taken.
    await().during(Duration.ofMillis(100)).until(() -> Posix.unread(pipe[0]) % 300 == 0);
    Posix.close(pipe[0]);
    thread.join();
    Posix.close(pipe[1]);
  }

  @Test
  void aRealPipeWithoutReaderAnswersEpipe() {
    int[] pipe = new int[2];
    assertThat(Posix.pipe2(pipe, 0)).isZero();
    Posix.close(pipe[0]);
    var direct = ByteBuffer.allocateDirect(10);
    assertThat(RecordSink.descriptor(pipe[1]).write(direct)).isEqualTo(-Errno.EPIPE);
    Posix.close(pipe[1]);
  }

  @Test
  void aRealPipeThatNobodyReadsHoldsNobody() {
    int[] pipe = new int[2];
    assertThat(Posix.pipe2(pipe, 0)).isZero();
    var stalled =
        new RecordWriter(RecordSink.descriptor(pipe[1]), log, () -> NOW, counters, lastWords::add);
    var records = new RecordEmitter(RecordSettings.DEFAULTS, stalled, () -> NOW, counters);
    stalled.start();
    var cursor = new FakeCursor();
    records.begin(
        RecordHarness.facts("a", 1, null),
        cursor,
        EmitterPosition.beginning(RecordSettings.DEFAULTS));
    for (int i = 0; i < 10_000; i++) {
      cursor.print(StreamName.STDOUT, "x".repeat(100) + "\n");
    }
    cursor.mark().drain();
    records.processEnded("a", RecordHarness.END);
    stalled.close(Duration.ofMillis(200));
    assertThat(lastWords).hasSize(1);
    assertThat(lastWords.getFirst()).contains("the rest of the records of 1 processes");
    // Let the thread go: its write fails now.
    Posix.close(pipe[0]);
    stalled.close(Duration.ofSeconds(10));
    assertThat(lastWords).hasSize(1);
    Posix.close(pipe[1]);
  }
}
