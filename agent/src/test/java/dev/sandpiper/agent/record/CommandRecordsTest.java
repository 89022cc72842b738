package dev.sandpiper.agent.record;

import static dev.sandpiper.agent.record.RecordHarness.NOW;
import static dev.sandpiper.agent.record.RecordHarness.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.OutputSettings;
import dev.sandpiper.agent.output.OutputSource;
import dev.sandpiper.agent.output.OutputStore;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.output.epoll.EpollPipeLoop;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.telemetry.AgentLogging;
import dev.sandpiper.agent.telemetry.Counters;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/// The acceptance checks of the requirement, with shells that print into real logs. No client is attached to any of
/// them, so each shows that records need none.
@Timeout(120)
final class CommandRecordsTest {
  private static final int CAP_BYTES = 2 * 1024 * 1024;

  private final FakeSink sink = new FakeSink();
  private final RecordWriter writer =
      new RecordWriter(
          sink, AgentLogging.configure(Level.OFF), () -> NOW, new Counters(), message -> {});
  private final RecordEmitter emitter =
      new RecordEmitter(RecordSettings.DEFAULTS, writer, () -> NOW, new Counters());
  private final EpollPipeLoop loop = new EpollPipeLoop();
  @TempDir Path directory;
  private OutputStore store;
  private int started;

  @BeforeEach
  void open() {
    store = OutputStore.open(directory, OutputSettings.DEFAULT, loop);
    writer.start();
  }

  @AfterEach
  void close() {
    writer.close();
    store.close();
    loop.close();
  }

  private record Command(String id, OutputLog log, Process shell) {
    void awaitExit() {
      try {
        assertThat(shell.waitFor(60, TimeUnit.SECONDS)).isTrue();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  private Command start(String script) throws IOException {
    String id = "p" + ++started;
    var log = store.create(id, EnumSet.of(StreamName.STDOUT, StreamName.STDERR));
    int[] out = pipe();
    int[] err = pipe();
    log.attach(StreamName.STDOUT, new OutputSource.Pipe(out[0], () -> {}));
    log.attach(StreamName.STDERR, new OutputSource.Pipe(err[0], () -> {}));
    var shell =
        new ProcessBuilder("/bin/sh", "-c", script)
            .redirectOutput(Redirect.to(Path.of("/proc/self/fd/" + out[1]).toFile()))
            .redirectError(Redirect.to(Path.of("/proc/self/fd/" + err[1]).toFile()))
            .start();
    Posix.close(out[1]);
    Posix.close(err[1]);
    emitter.processStarted(
        new ProcessFacts(id, (int) shell.pid(), null, script, "user", null, NOW), log);
    return new Command(id, log, shell);
  }

  private static int[] pipe() {
    int[] fds = new int[2];
    assertThat(Posix.pipe2(fds, Fcntl.O_CLOEXEC)).isZero();
    Posix.setNonBlocking(fds[0], true);
    return fds;
  }

  private void end(Command command) {
    command.log().markEnd();
    emitter.processEnded(command.id(), RecordHarness.END);
  }

  /// Runs a shell to its end and gives its records.
  private List<JsonNode> run(String script) throws IOException {
    var command = start(script);
    command.awaitExit();
    await().until(command.log()::drained);
    end(command);
    await().atMost(Duration.ofSeconds(60)).until(() -> emitter.open() == 0);
    return await().until(() -> records(command), CommandRecordsTest::complete);
  }

  private static boolean complete(List<JsonNode> records) {
    return !RecordHarness.of(records, "process_end").isEmpty();
  }

  private List<JsonNode> records(Command command) {
    String all = Lines.decode(sink.taken());
    return RecordHarness.parse(Lines.utf8(all.substring(0, all.lastIndexOf('\n') + 1))).stream()
        .filter(record -> text(record, "process_id").equals(command.id()))
        .toList();
  }

  private static boolean marker(JsonNode record) {
    return text(record, "message").equals(RecordEncoder.TRUNCATED);
  }

  private static List<String> messages(List<JsonNode> records) {
    return RecordHarness.of(records, "process_output").stream()
        .filter(record -> !marker(record))
        .map(record -> text(record, "message"))
        .toList();
  }

  private static long bytes(List<JsonNode> records) {
    return messages(records).stream().mapToLong(message -> Lines.utf8(message).length).sum();
  }

  private static long markers(List<JsonNode> records) {
    return RecordHarness.of(records, "process_output").stream()
        .filter(CommandRecordsTest::marker)
        .count();
  }

  @Test
  void smallOutputsLeaveLineByLine() throws IOException {
    assertThat(messages(run("printf 'a\\nb'"))).containsExactly("a", "b");
    assertThat(messages(run("printf 'a\\n\\nb\\n'"))).containsExactly("a", "", "b");
    assertThat(messages(run("printf 'a\\r\\n'"))).containsExactly("a");
    assertThat(messages(run("true"))).isEmpty();
    assertThat(messages(run("echo e >&2"))).containsExactly("e");
  }

  @Test
  void bothStreamsTogetherStayWithinTheCap() throws IOException {
    String megabytes = "head -c 3145728 /dev/zero | tr '\\0' 'x' | fold -w ";
    for (int width : new int[] {100, 300, 999, 4000, 65_536, 100_000}) {
      var records = run(megabytes + width + " & " + megabytes + width + " >&2; wait");
      assertThat(bytes(records)).isPositive().isLessThanOrEqualTo(CAP_BYTES);
      assertThat(messages(records).size()).isLessThanOrEqualTo(10_000);
      assertThat(markers(records)).as("width %d", width).isEqualTo(1);
      var marker = records.get(records.size() - 2);
      assertThat(marker(marker)).isTrue();
      assertThat(text(marker, "level")).isEqualTo("WARN");
      assertThat(text(marker, "stream")).isIn("stdout", "stderr");
      assertThat(marker.get("pid")).isEqualTo(records.getFirst().get("pid"));
    }
  }

  @Test
  void tinyLinesEndAtTheRecordCap() throws IOException {
    var records = run("yes | head -n 20000");
    assertThat(messages(records)).hasSize(10_000).containsOnly("y");
    assertThat(markers(records)).isEqualTo(1);
  }

  @Test
  void outputExactlyAtACapIsNotMarked() throws IOException {
    var lines = run("yes | head -n 10000");
    assertThat(messages(lines)).hasSize(10_000);
    assertThat(markers(lines)).isZero();
    var bytes = run("head -c 2097152 /dev/zero | tr '\\0' 'x'");
    assertThat(bytes(bytes)).isEqualTo(CAP_BYTES);
    assertThat(markers(bytes)).isZero();
  }

  @Test
  void aLongLineArrivesWhole() throws IOException {
    for (String end : List.of("", "; echo")) {
      var records = run("head -c 200000 /dev/zero | tr '\\0' 'x'" + end);
      assertThat(String.join("", messages(records))).isEqualTo("x".repeat(200_000));
      assertThat(messages(records)).hasSize(4).allMatch(message -> message.length() <= 65_536);
    }
    assertThat(messages(run("head -c 65536 /dev/zero | tr '\\0' 'x'; echo"))).hasSize(1);
  }

  @Test
  void aBackgroundChildPrintsOnUnderTheSameId() throws IOException {
    var command =
        start(
            "printf 'first\\nprompt'; (read -r line; echo late; echo later >&2) <'"
                + gate()
                + "' &");
    command.awaitExit();
    await().until(() -> messages(records(command)).contains("first"));
    end(command);
    await().until(() -> complete(records(command)));
    open(gate());
    await().until(() -> emitter.open() == 0);
    await().until(() -> messages(records(command)).contains("later"));
    assertThat(
            records(command).stream()
                .map(r -> r.has("seq") ? text(r, "message") : text(r, "event_type")))
        .containsExactly("process_start", "first", "prompt", "process_end", "late", "later");
    assertThat(records(command).getLast().get("seq").asInt()).isEqualTo(4);
  }

  private String gate() {
    String gate = directory.resolve("gate").toString();
    Posix.mkfifo(gate, 0600);
    return gate;
  }

  private static void open(String gate) throws IOException {
    java.nio.file.Files.writeString(Path.of(gate), "go\n");
  }

  @Test
  void outputThatRetentionTakesBeforeItIsReadIsReported() throws IOException {
    sink.take(100, 0);
    var first = start("echo one");
    await().until(sink::blocked);
    var command = start("head -c 80000000 /dev/zero | tr '\\0' 'x' | fold -w 1000; echo end");
    command.awaitExit();
    await().until(command.log()::drained);
    end(command);
    sink.take(Long.MAX_VALUE, 0);
    await().until(() -> complete(records(command)));
    var missed = RecordHarness.of(records(command), "records_missed").getFirst();
    assertThat(missed.get("start_offset").asLong()).isZero();
    assertThat(missed.get("end_offset").asLong()).isPositive();
    assertThat(missed.get("end_offset").asLong()).isGreaterThan(10_000_000);
    assertThat(markers(records(command))).isEqualTo(1);
    first.awaitExit();
    end(first);
  }
}
