package dev.sandpiper.agent.tree;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.posix.Tasks;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ProcFilesTest {
  private static @Nullable ProcEntry parse(String line) {
    return ProcEntry.parse(ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void aNameMayLookLikeTheRestOfTheLine() {
    ProcEntry entry =
        requireNonNull(
            parse(
                "4711 (a) Z 1 (b) S 12 34 56 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 3 0 987654 1 2 3\n"));
    assertThat(entry)
        .isEqualTo(new ProcEntry(4711, "a) Z 1 (b", 'S', 12, 34, 56, 4194304, 3, 987654));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "4711", "4711 (sh", "4711 (sh) S 1 2", "x (sh) S 1 2 3"})
  void whatIsNoSuchLineIsNobody(String line) {
    assertThat(parse(line)).isNull();
  }

  @Test
  void aZombieWithThreadsIsStillThere() {
    assertThat(new ProcEntry(1, "x", 'Z', 0, 0, 0, 0, 2, 1).alive()).isTrue();
    assertThat(new ProcEntry(1, "x", 'Z', 0, 0, 0, 0, 1, 1).alive()).isFalse();
  }

  @Test
  void everyProcessIsSeen() {
    ProcFiles files = new ProcFiles();
    assertThat(files.all()).containsKey(Tasks.getpid()).containsKey(1);
    assertThat(files.error()).isZero();
  }

  /// The environment is read in pieces of 64 KiB; the mark may lie across an edge.
  @ParameterizedTest
  @ValueSource(ints = {0, 10, 65_000, 65_500, 65_510, 65_520, 65_530, 65_540, 100_000})
  void theMarkIsFoundWhereverItIs(int before) throws Exception {
    Map<String, String> environment = new TreeMap<>();
    environment.put("NOT_SANDPIPER_PROCESS_ID", "other");
    environment.put("SANDPIPER_PROCESS_ID", "the-id");
    environment.put("B_FILLER", "x".repeat(before));
    ProcessBuilder builder = new ProcessBuilder("sleep", "1000");
    builder.environment().clear();
    builder.environment().putAll(environment);
    Process process = builder.start();
    try {
      assertThat(new ProcFiles().mark((int) process.pid()))
          .isEqualTo(new ProcFiles.Mark("the-id", 0));
    } finally {
      process.destroyForcibly().waitFor();
    }
  }
}
