package dev.sandpiper.agent.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.launch.Child;
import dev.sandpiper.agent.output.Cursor;
import dev.sandpiper.agent.output.Position;
import dev.sandpiper.agent.output.Promise;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.OptionalLong;
import java.util.Random;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Input that says where it belongs.
@Timeout(60)
class InputOffsetTest {
  private static final int LIMIT = 1 << 20;

  @TempDir Path directory;
  private final BlockingQueue<InputOutcome> outcomes = new ArrayBlockingQueue<>(10_000);
  private ProcessFixture fixture;

  @BeforeEach
  void start() throws Exception {
    fixture =
        new ProcessFixture(
            directory,
            new ProcessSettings(
                Duration.ofSeconds(2),
                Duration.ofSeconds(30),
                100,
                LIMIT,
                Duration.ofMillis(300),
                Duration.ofMillis(100),
                OnStop.STOP));
  }

  @AfterEach
  void stop() throws Exception {
    fixture.stop();
  }

  private InputOutcome next() throws InterruptedException {
    InputOutcome outcome = outcomes.poll(60, TimeUnit.SECONDS);
    assertThat(outcome).isNotNull();
    return outcome;
  }

  private InputOutcome write(ManagedProcess process, long offset, byte[] bytes, boolean end)
      throws InterruptedException {
    process.writeAt(OptionalLong.of(offset), bytes, end, outcomes::add);
    return next();
  }

  private InputOutcome write(ManagedProcess process, long offset, String text) throws Exception {
    return write(process, offset, text.getBytes(StandardCharsets.UTF_8), false);
  }

  private static InputOutcome accepted(long offset) {
    return new InputOutcome.Accepted(offset, false);
  }

  private String output(ManagedProcess process) {
    await().until(() -> process.state() == ManagedProcess.State.ENDED);
    try (Cursor cursor = process.log().cursor(Position.BEGINNING, Promise.BEST_EFFORT)) {
      StringBuilder text = new StringBuilder();
      ByteBuffer direct = ByteBuffer.allocateDirect(1 << 16);
      while (true) {
        switch (cursor.peek(1 << 16)) {
          case Cursor.Step.Data data -> {
            cursor.read(direct.clear());
            text.append(StandardCharsets.UTF_8.decode(direct.flip()));
            cursor.advance(data.length());
          }
          case Cursor.Step.Mark _ -> cursor.skipMark();
          case Cursor.Step.Drained _ -> {
            return text.toString();
          }
          case Cursor.Step step -> throw new AssertionError(step);
        }
      }
    }
  }

  @Test
  void aRepeatedWriteIsWrittenOnceAndAHoleIsRefused() throws Exception {
    ManagedProcess process = fixture.shell("cat");

    assertThat(write(process, 0, "hello ")).isEqualTo(accepted(6));
    assertThat(write(process, 0, "hello ")).isEqualTo(accepted(6));
    assertThat(write(process, 3, "lo wor")).isEqualTo(accepted(9));
    assertThat(write(process, 10, "x")).isEqualTo(new InputOutcome.Hole(10, 9));
    process.write("ld".getBytes(StandardCharsets.UTF_8), outcomes::add);
    assertThat(next()).isInstanceOf(InputOutcome.Accepted.class);
    assertThat(process.inputOffset()).isEqualTo(11);
    assertThat(write(process, 11, "!".getBytes(StandardCharsets.UTF_8), true))
        .isEqualTo(new InputOutcome.Accepted(12, true));
    // The end is an offset too.
    assertThat(write(process, 12, new byte[0], true))
        .isEqualTo(new InputOutcome.Accepted(12, true));
    assertThat(write(process, 12, "x"))
        .isInstanceOfAny(InputOutcome.EndsElsewhere.class, InputOutcome.Failed.class);

    assertThat(output(process)).isEqualTo("hello world!");
    assertThat(process.inputOffset()).isEqualTo(12);
    assertThat(write(process, 0, "hello")).isEqualTo(new InputOutcome.Accepted(12, true));
    assertThat(write(process, 12, "x")).isInstanceOf(InputOutcome.Failed.class);
  }

  @Test
  void theEndBelongsBehindEverythingWritten() throws Exception {
    ManagedProcess process = fixture.shell("cat");
    assertThat(write(process, 0, "abc")).isEqualTo(accepted(3));
    assertThat(write(process, 1, new byte[0], true)).isEqualTo(new InputOutcome.EndsElsewhere(3));
    assertThat(process.acceptsInput()).isTrue();
  }

  @Test
  void whatHadNoOffsetCountsToo() throws Exception {
    ManagedProcess process = fixture.shell("cat");
    process.write("abc".getBytes(StandardCharsets.UTF_8), outcomes::add);
    assertThat(next()).isInstanceOf(InputOutcome.Accepted.class);
    assertThat(inputFile(process)).doesNotExist();
    assertThat(write(process, 2, "cd")).isEqualTo(accepted(4));
    process.writeAt(
        OptionalLong.empty(), "e".getBytes(StandardCharsets.UTF_8), true, outcomes::add);
    assertThat(next()).isEqualTo(new InputOutcome.Accepted(5, true));
    assertThat(output(process)).isEqualTo("abcde");
  }

  /// The kernel's own count, in the open file, is what the keeper holds.
  @Test
  void theInputPassesThroughAFileWhosePositionIsWhatWasAccepted() throws Exception {
    ManagedProcess process = fixture.shell("head -c 1000000 > /dev/null; cat");
    Path file = inputFile(process);
    byte[] bytes = new byte[900_000];
    new Random(1).nextBytes(bytes);
    assertThat(write(process, 0, bytes, false)).isEqualTo(accepted(900_000));
    assertThat(file).hasSize(900_000);
    assertThat(positionOf(file)).isEqualTo(900_000);
    assertThat(allocated(file)).as("of what was read only a little is kept").isLessThan(600_000);
    assertThat(process.facts()).doesNotContainKey("input");
    process.closeInput();
    await().until(() -> process.state() == ManagedProcess.State.ENDED);
    assertThat(file).doesNotExist();
  }

  private static Path inputFile(ManagedProcess process) throws IOException {
    Path fifo = Files.readSymbolicLink(Path.of("/proc/" + process.pid() + "/fd/0"));
    return Path.of(fifo + Child.INPUT_SUFFIX);
  }

  private static long positionOf(Path file) throws Exception {
    try (var all = Files.list(Path.of("/proc/self/fd"))) {
      for (Path fd : all.toList()) {
        if (Files.isSymbolicLink(fd) && Files.readSymbolicLink(fd).equals(file)) {
          String info = Files.readString(Path.of("/proc/self/fdinfo").resolve(fd.getFileName()));
          return Long.parseLong(info.lines().findFirst().orElseThrow().replaceAll("\\D+", ""));
        }
      }
    }
    throw new AssertionError(file + " is not open");
  }

  private static long allocated(Path file) throws Exception {
    Process stat = new ProcessBuilder("stat", "-c", "%b", file.toString()).start();
    return 512
        * Long.parseLong(
            new String(stat.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip());
  }

  /// Large writes, small writes, a third of them twice, some with others in flight: the sum is that of the bytes.
  @Test
  void whatArrivesIsWhatWasWritten() throws Exception {
    ManagedProcess process = fixture.shell("sha256sum");
    Random random = new Random(7);
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    long offset = 0;
    for (int i = 0; i < 2_000; i++) {
      byte[] bytes = new byte[i % 100 == 0 ? 100_000 : 1 + random.nextInt(300)];
      random.nextBytes(bytes);
      digest.update(bytes);
      int times = random.nextInt(3) == 0 ? 2 : 1;
      for (int time = 0; time < times; time++) {
        process.writeAt(OptionalLong.of(offset), bytes, false, outcomes::add);
      }
      offset += bytes.length;
      for (int time = 0; time < times; time++) {
        assertThat(next()).isEqualTo(accepted(offset));
      }
    }
    process.writeAt(OptionalLong.of(offset), new byte[0], true, outcomes::add);
    assertThat(next()).isEqualTo(new InputOutcome.Accepted(offset, true));
    assertThat(output(process)).startsWith(HexFormat.of().formatHex(digest.digest()));
  }

  @Test
  void aWriteBehindOneThatStalledIsAHole() throws Exception {
    ManagedProcess process = fixture.shell("sleep 60");
    process.writeAt(OptionalLong.of(0), new byte[600_000], false, outcomes::add);
    process.writeAt(OptionalLong.of(600_000), new byte[10], true, outcomes::add);
    InputOutcome first = next();
    assertThat(first).isInstanceOf(InputOutcome.Stalled.class);
    long taken = ((InputOutcome.Stalled) first).acceptedBytes();
    assertThat(taken).isEqualTo(process.inputOffset()).isPositive();
    assertThat(next()).isEqualTo(new InputOutcome.Hole(600_000, taken));
    assertThat(process.acceptsInput()).as("its end was not reached").isTrue();
    assertThat(inputFile(process)).hasSize(taken);
  }

  @Test
  void aRepeatedWriteWaitsForTheFirst() throws Exception {
    ManagedProcess process = fixture.shell("sleep 0.1; cat > /dev/null");
    process.writeAt(OptionalLong.of(0), new byte[600_000], false, outcomes::add);
    process.writeAt(OptionalLong.of(0), new byte[500_000], false, outcomes::add);
    assertThat(next()).isEqualTo(accepted(600_000));
    assertThat(next()).isEqualTo(accepted(600_000));
    process.closeInput();
  }

  @Test
  void aTerminalCountsTheSameWay() throws Exception {
    ManagedProcess process = fixture.terminal("stty raw -echo; echo ready; head -c 12");
    await().until(() -> process.log().endOffset(dev.sandpiper.agent.output.StreamName.PTY) > 0);
    assertThat(write(process, 0, "one two ")).isEqualTo(accepted(8));
    assertThat(write(process, 4, "two end!")).isEqualTo(accepted(12));
    assertThat(output(process)).endsWith("one two end!");
    assertThat(process.facts()).doesNotContainKey("input");
  }
}
