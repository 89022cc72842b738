package dev.sandpiper.agent.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.journal.Bytes;
import dev.sandpiper.agent.journal.Journal;
import dev.sandpiper.agent.journal.JournalEntry;
import dev.sandpiper.agent.journal.JournalEntry.EndKind;
import dev.sandpiper.agent.journal.StateDirectory;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestReporter;
import org.junit.jupiter.api.io.TempDir;

/// 10,000 finished processes are kept in a heap of 128 MiB.
class FinishedMemoryTest {
  private static final int PROCESSES = 10_000;

  /// Of which the log, even of a process that printed nothing, is about a third.
  private static final int MOST_BYTES = 1_600;

  @TempDir Path directory;

  @Test
  void aFinishedProcessIsSmall(TestReporter reporter) throws Exception {
    try (StateDirectory state = StateDirectory.open(directory.resolve("state"));
        Journal journal = state.openJournal(false)) {
      for (int i = 0; i < PROCESSES; i++) {
        String id = "p%018d".formatted(i);
        journal.append(started(id, i));
        journal.append(ended(id));
      }
    }
    long before = used();
    ProcessFixture fixture = new ProcessFixture(directory, ProcessFixture.settings());
    try {
      long each = (used() - before) / PROCESSES;
      reporter.publishEntry("heap bytes per finished process", Long.toString(each));
      assertThat(fixture.processes.all()).hasSize(PROCESSES);
      assertThat(each).isLessThan(MOST_BYTES);
    } finally {
      fixture.stop();
    }
  }

  private static JournalEntry started(String id, int i) {
    return new JournalEntry.Started(
        id,
        1_000 + i,
        i,
        "3f2c1c5e-8f3e-4f43-a2bb-6a3fbbbff42a",
        "/bin/sh",
        List.of("-c", "echo " + i),
        "/home/user",
        "user",
        null,
        false,
        0,
        1_700_000_000_000_000L + i,
        Map.of("fifo.stdout", "/run/sandpiper/x/" + i, "fifo.stderr", "/run/sandpiper/y/" + i),
        null,
        Bytes.EMPTY,
        false);
  }

  private static JournalEntry ended(String id) {
    return new JournalEntry.Ended(
        id,
        EndKind.EXITED,
        0,
        false,
        "exit",
        1_700_000_000_000_000L,
        Map.of("stdout", 0L, "stderr", 0L),
        Bytes.EMPTY,
        new JournalEntry.Used(1_500, 900, 3_000),
        null,
        0);
  }

  private static long used() throws InterruptedException {
    Runtime runtime = Runtime.getRuntime();
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 4; i++) {
      System.gc();
      least = Math.min(least, runtime.totalMemory() - runtime.freeMemory());
    }
    return least;
  }
}
