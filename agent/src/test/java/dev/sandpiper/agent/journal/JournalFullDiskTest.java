package dev.sandpiper.agent.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.agent.journal.JournalEntry.Deleted;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// On a file system of two MiB, which takes root to mount.
@Timeout(60)
class JournalFullDiskTest {
  @TempDir Path parent;
  private Path disk;
  private final List<String> notes = new ArrayList<>();

  @BeforeEach
  void mount() throws Exception {
    disk = Files.createDirectory(parent.resolve("disk"));
    assumeTrue(
        run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk.toString()),
        "skipped: a file system of two MiB cannot be mounted here (needs root)");
  }

  @AfterEach
  void unmount() throws Exception {
    run("umount", "-l", disk.toString());
  }

  private static boolean run(String... command) throws Exception {
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    return process.waitFor(60, TimeUnit.SECONDS) && process.exitValue() == 0;
  }

  private Path fill() {
    Path ballast = disk.resolve("ballast");
    try (OutputStream out = Files.newOutputStream(ballast)) {
      while (true) {
        out.write(new byte[4096]);
      }
    } catch (IOException full) {
      assertThat(full).hasMessageContaining("No space");
    }
    return ballast;
  }

  private Journal open() throws IOException {
    return Journal.open(disk.resolve("journal"), false, notes);
  }

  private static JournalEntry entry(int number) {
    return new Deleted("p%06d".formatted(number));
  }

  @Test
  void aFullDiskDoesNotCostTheNextEntries() throws IOException {
    AtomicInteger asked = new AtomicInteger();
    try (Journal journal = open()) {
      journal.onNeedsRoom(asked::incrementAndGet);
      journal.append(entry(0));
      Path ballast = fill();
      int written = 1;
      while (asked.get() == 0) {
        journal.append(entry(written++));
      }
      // Asked for while there is still room for thousands.
      for (int i = 0; i < 5_000; i++) {
        journal.append(entry(written++));
      }
      assertThat(asked.get()).isEqualTo(5_001);
      int last = written;
      assertThatThrownBy(
              () -> {
                for (int i = last; i < last + 100_000; i++) {
                  journal.append(entry(i));
                }
              })
          .hasMessageContaining("ENOSPC");
      Files.delete(ballast);
      int before = asked.get();
      journal.append(entry(1_000_000));
      assertThat(asked.get()).isEqualTo(before);
    }
    assertThat(JournalFile.read(disk.resolve("journal"), (_, _) -> {}).state())
        .isEqualTo(JournalFile.State.WHOLE);
    assertThat(Files.size(disk.resolve("journal"))).isGreaterThan(5_000 * 17L);
  }

  @Test
  void opensOnAFullDiskAlsoWithATornTail() throws IOException {
    try (Journal journal = open()) {
      journal.append(JournalEntry.EmitterPosition.allLeft("p1"));
      journal.append(JournalTest.started("p2"));
    }
    Files.write(disk.resolve("journal"), new byte[] {40, 0, 0, 0, 1}, StandardOpenOption.APPEND);
    Path ballast = fill();
    try (Journal journal = open()) {
      assertThat(journal.entries()).containsExactly(JournalTest.started("p2"));
      assertThat(notes).hasSize(1);
      assertThat(notes.getFirst()).contains("ENOSPC");
      Files.delete(ballast);
      journal.append(JournalTest.started("p3"));
    }
    notes.clear();
    try (Journal journal = open()) {
      assertThat(journal.entries()).hasSize(2);
      assertThat(notes).isEmpty();
    }
  }
}
