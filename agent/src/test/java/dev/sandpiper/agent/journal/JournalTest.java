package dev.sandpiper.agent.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sandpiper.agent.journal.JournalEntry.Deleted;
import dev.sandpiper.agent.journal.JournalEntry.EmitterPosition;
import dev.sandpiper.agent.journal.JournalEntry.EndKind;
import dev.sandpiper.agent.journal.JournalEntry.Ended;
import dev.sandpiper.agent.journal.JournalEntry.Started;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JournalTest {
  @TempDir Path directory;
  private final List<String> notes = new ArrayList<>();

  private Journal open() throws IOException {
    return Journal.open(directory.resolve("journal"), false, notes);
  }

  static Started started(String id) {
    return new Started(
        id,
        4711,
        123_456_789L,
        "boot-1",
        "/bin/echo",
        List.of("", "a b", "ü\n"),
        "/home/user",
        "user",
        id.hashCode() % 2 == 0 ? null : "",
        true,
        0,
        1_700_000_000_000_000L,
        Map.of("fifo.stdout", "/run/x/1", "crash_exact", "true"),
        id.equals("a") ? "key of a" : null,
        id.equals("a") ? Bytes.copyOf(new byte[] {1, 2, 3}) : Bytes.EMPTY,
        id.equals("b"));
  }

  private static Ended ended(String id) {
    return new Ended(
        id,
        EndKind.SIGNALED,
        9,
        true,
        "signal",
        -5,
        Map.of("stdout", 7L, "stderr", 0L),
        Bytes.copyOf(new byte[] {0, 1, -1}),
        id.equals("a") ? new JournalEntry.Used(1_500, 0, 2_048) : null,
        id.equals("b") ? "nobody saw it" : null,
        id.equals("a") ? 1L << 33 : 0);
  }

  private static List<JournalEntry> some() {
    return List.of(
        started("a"),
        started("b"),
        ended("a"),
        new EmitterPosition("b", Map.of("stdout", 1L << 40), Map.of("seq", 12L)));
  }

  private static void append(Journal journal, List<JournalEntry> entries) throws IOException {
    for (JournalEntry entry : entries) {
      journal.append(entry);
    }
  }

  @Test
  void everyEntryComesBackAsItWas() throws Exception {
    try (Journal journal = open()) {
      assertThat(journal.entries()).isEmpty();
      append(journal, some());
    }
    try (Journal journal = open()) {
      assertThat(journal.entries()).isEqualTo(some());
    }
    assertThat(notes).isEmpty();
    assertThat(
            PosixFilePermissions.toString(
                Files.getPosixFilePermissions(directory.resolve("journal"))))
        .isEqualTo("rw-------");
  }

  @Test
  void journalCutAtAnyByteKeepsWhatIsWholeAndGoesOn() throws Exception {
    List<Integer> ends = new ArrayList<>();
    Path file = directory.resolve("journal");
    try (Journal journal = open()) {
      ends.add((int) Files.size(file));
      for (JournalEntry entry : some()) {
        journal.append(entry);
        ends.add((int) Files.size(file));
      }
    }
    byte[] whole = Files.readAllBytes(file);
    for (int cut = 0; cut <= whole.length; cut++) {
      Files.write(file, Arrays.copyOf(whole, cut));
      int length = cut;
      int kept = (int) Math.max(0, ends.stream().filter(end -> end <= length).count() - 1);
      try (Journal journal = open()) {
        assertThat(journal.entries()).as("cut at %d", cut).isEqualTo(some().subList(0, kept));
        journal.append(ended("z"));
      }
      try (Journal journal = open()) {
        List<JournalEntry> expected = new ArrayList<>(some().subList(0, kept));
        expected.add(ended("z"));
        assertThat(journal.entries()).as("cut at %d, then appended", cut).isEqualTo(expected);
      }
    }
    assertThat(notes).as("a torn tail is nothing to report").isEmpty();
  }

  @Test
  void damageInTheMiddleKeepsWhatWasBeforeAndTheOriginal() throws Exception {
    Path file = directory.resolve("journal");
    int first;
    try (Journal journal = open()) {
      journal.append(started("a"));
      first = (int) Files.size(file);
      journal.append(started("b"));
      journal.append(started("c"));
    }
    byte[] bytes = Files.readAllBytes(file);
    bytes[first + 20] ^= 1;
    Files.write(file, bytes);
    try (Journal journal = open()) {
      assertThat(journal.entries()).containsExactly(started("a"));
    }
    assertThat(notes).hasSize(1);
    assertThat(notes.getFirst()).contains("bad checksum at byte " + first).contains("set-aside");
    try (Stream<Path> files = Files.list(directory)) {
      Path aside =
          files.filter(path -> path.toString().contains("set-aside")).findFirst().orElseThrow();
      assertThat(Files.readAllBytes(aside)).isEqualTo(bytes);
    }
  }

  @Test
  void foreignAndNewerFilesAreSetAside() throws Exception {
    Path file = directory.resolve("journal");
    Files.writeString(file, "this is somebody's diary, not ours");
    try (Journal journal = open()) {
      journal.append(started("a"));
    }
    assertThat(notes).singleElement().asString().contains("it is no journal");
    notes.clear();
    byte[] newer = Files.readAllBytes(file);
    newer[8] = 9;
    Files.write(file, newer);
    try (Journal journal = open()) {
      assertThat(journal.entries()).isEmpty();
    }
    assertThat(notes).singleElement().asString().contains("its version is 9");
  }

  @Test
  void hostileLengthsAreNoReasonToAllocate() throws Exception {
    Path file = directory.resolve("journal");
    try (Journal journal = open()) {
      journal.append(started("a"));
    }
    for (byte[] length :
        new byte[][] {{-1, -1, -1, -1}, {-1, -1, -1, 127}, {0, 0, 0, -128}, {1, 0, 0, 2}}) {
      byte[] before = Files.readAllBytes(file);
      Files.write(file, length, StandardOpenOption.APPEND);
      Files.write(file, new byte[100], StandardOpenOption.APPEND);
      try (Journal journal = open()) {
        assertThat(journal.entries()).containsExactly(started("a"));
      }
      Files.write(file, before);
    }
  }

  @Test
  void entriesOfALaterVersionSurviveThisOne() throws Exception {
    Path file = directory.resolve("journal");
    try (Journal journal = open()) {
      journal.append(started("a"));
      journal.append(started("b"));
    }
    byte[] later = JournalFile.frame(new byte[] {77, 1, 1, 'a', 99, 2, 'x', 'y'});
    Files.write(file, later, StandardOpenOption.APPEND);
    try (Journal journal = open()) {
      assertThat(journal.entries()).containsExactly(started("a"), started("b"));
      journal.append(new Deleted("b")); // makes the next start write it anew
    }
    try (Journal journal = open()) {
      assertThat(journal.entries()).containsExactly(started("a"));
    }
    assertThat(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1))
        .contains(new String(later, StandardCharsets.ISO_8859_1));
  }

  @Test
  void deletedProcessesAndOldPositionsAreLeftOutAtTheNextStart() throws Exception {
    try (Journal journal = open()) {
      for (int i = 0; i < 100; i++) {
        journal.append(new EmitterPosition("a", Map.of("stdout", (long) i), Map.of()));
      }
      append(journal, some());
      journal.append(new Deleted("b"));
    }
    long before = Files.size(directory.resolve("journal"));
    try (Journal journal = open()) {
      assertThat(journal.entries())
          .containsExactly(
              new EmitterPosition("a", Map.of("stdout", 99L), Map.of()), started("a"), ended("a"));
    }
    assertThat(Files.size(directory.resolve("journal"))).isLessThan(before / 4);
  }

  @Test
  void journalOfARunningAgentDoesNotGrowForEver() throws Exception {
    Path file = directory.resolve("journal");
    long limit = 64 * 1024;
    try (Journal journal = Journal.open(file, false, notes, limit)) {
      journal.append(started("stays"));
      for (int i = 0; i < 2_000; i++) {
        journal.append(started("p" + i));
        journal.append(ended("p" + i));
        journal.append(new Deleted("p" + i));
      }
      // It is compacted beside the appending, which therefore may have been far ahead.
      int more = 0;
      while (Files.size(file) >= limit && more++ < 200_000) {
        journal.append(new Deleted("other"));
      }
      assertThat(Files.size(file)).isLessThan(limit);
    }
    try (Journal journal = open()) {
      assertThat(journal.entries()).containsExactly(started("stays"));
    }
    assertThat(directory.resolve("journal.new")).doesNotExist();
  }

  @Test
  void manyThreadsAppendWholeEntries() throws Exception {
    try (Journal journal = open()) {
      List<Thread> threads = new ArrayList<>();
      for (int t = 0; t < 8; t++) {
        String name = "t" + t + "-";
        threads.add(
            Thread.ofPlatform()
                .start(() -> {
                  for (int i = 0; i < 200; i++) {
                    try {
                      journal.append(started(name + i));
                    } catch (IOException failure) {
                      throw new AssertionError(failure);
                    }
                  }
                }));
      }
      for (Thread thread : threads) {
        thread.join();
      }
    }
    try (Journal journal = open()) {
      assertThat(journal.entries()).hasSize(1_600).doesNotHaveDuplicates();
    }
  }

  @Test
  void nothingIsLostOrRepeatedByCompactingWhileThreadsAppend() throws Exception {
    Path file = directory.resolve("journal");
    try (Journal journal = Journal.open(file, false, notes, 4 * 1024)) {
      List<Thread> threads = new ArrayList<>();
      for (int t = 0; t < 4; t++) {
        String name = "t" + t + "-";
        threads.add(
            Thread.ofPlatform()
                .start(() -> {
                  try {
                    for (int i = 0; i < 400; i++) {
                      journal.append(started(name + i));
                      if (i % 2 == 0) {
                        journal.append(new Deleted(name + i));
                      }
                    }
                  } catch (IOException failure) {
                    throw new AssertionError(failure);
                  }
                }));
      }
      for (Thread thread : threads) {
        thread.join();
      }
    }
    try (Journal journal = open()) {
      List<JournalEntry> entries = journal.entries();
      assertThat(entries).hasSize(4 * 200).doesNotHaveDuplicates();
      for (int t = 0; t < 4; t++) {
        String name = "t" + t + "-";
        assertThat(entries.stream().map(JournalEntry::processId).filter(id -> id.startsWith(name)))
            .as("those of one thread are in its order")
            .containsExactlyElementsOf(
                java.util.stream.IntStream.range(0, 200)
                    .mapToObj(i -> name + (2 * i + 1))
                    .toList());
      }
    }
  }

  @Test
  void veryLongCommandLineIsKept() throws Exception {
    Started long1 =
        new Started(
            "long",
            1,
            1,
            "b",
            "c",
            List.of("x".repeat(300_000)),
            "/",
            "u",
            null,
            false,
            0,
            0,
            Map.of(),
            null,
            Bytes.EMPTY,
            false);
    try (Journal journal = open()) {
      journal.append(long1);
    }
    try (Journal journal = open()) {
      assertThat(journal.entries()).containsExactly(long1);
    }
  }

  @Test
  void appendingToAClosedJournalNamesTheFile() throws Exception {
    Journal journal = open();
    journal.close();
    journal.close();
    assertThatThrownBy(() -> journal.append(started("a")))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(directory.resolve("journal").toString());
  }
}
