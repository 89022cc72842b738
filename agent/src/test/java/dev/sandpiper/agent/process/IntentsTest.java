package dev.sandpiper.agent.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.config.Settings;
import dev.sandpiper.agent.journal.Bytes;
import dev.sandpiper.agent.journal.Journal;
import dev.sandpiper.agent.journal.JournalEntry;
import dev.sandpiper.agent.journal.JournalEntry.Started;
import dev.sandpiper.agent.journal.StateDirectory;
import dev.sandpiper.agent.launch.ProcessIdentity;
import dev.sandpiper.agent.tree.TreeRoot;
import dev.sandpiper.agent.tree.TreeSettings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IntentsTest {
  private static final TreeSettings TREES =
      TreeSettings.from(Settings.defaults(TreeSettings.all()));

  @TempDir Path directory;

  private static Started intent(String id) {
    return new Started(
        id,
        0,
        0,
        ProcessIdentity.thisBoot(),
        "sleep",
        List.of("60"),
        "/",
        "root",
        null,
        false,
        0,
        1,
        Map.of(),
        "key of " + id,
        Bytes.copyOf(new byte[] {1}),
        false);
  }

  private List<JournalEntry> journal(JournalEntry... append) throws IOException {
    try (StateDirectory state = StateDirectory.open(directory.resolve("state"));
        Journal journal = state.openJournal(false)) {
      for (JournalEntry entry : append) {
        journal.append(entry);
      }
    }
    try (StateDirectory state = StateDirectory.open(directory.resolve("state"));
        Journal journal = state.openJournal(false)) {
      return Intents.settle(journal.entries(), journal, TREES);
    }
  }

  @Test
  void whatWasSpawnedAndNotJournalledIsFoundByItsMark() throws Exception {
    ProcessBuilder builder = new ProcessBuilder("setsid", "sleep", "60");
    builder.environment().put(TreeRoot.VARIABLE, "p-spawned");
    Process process = builder.start();
    try {
      // setsid replaces itself with sleep, as the leader of a group
      org.awaitility.Awaitility.await()
          .until(() -> process.info().command().orElse("").endsWith("sleep"));

      assertThat(journal(intent("p-spawned")))
          .singleElement()
          .isInstanceOfSatisfying(
              Started.class,
              started -> {
                assertThat(started.pid()).isEqualTo((int) process.pid());
                assertThat(started.startTicks()).isPositive();
                assertThat(started.bootId()).isNotEmpty();
                assertThat(started.key()).isEqualTo("key of p-spawned");
              });
      assertThat(journal()).as("settled in the journal too").hasSize(1);
    } finally {
      process.destroyForcibly();
    }
  }

  @Test
  void aStartOfWhichNothingIsFoundMayHaveBeenAndGone() throws Exception {
    assertThat(journal(intent("p-nothing"))).containsExactly(intent("p-nothing"));
    assertThat(journal(new JournalEntry.Deleted("p-nothing"))).as("a spawn that failed").isEmpty();
  }

  @Test
  void aStartThatWasJournalledNeedsNoLook() throws Exception {
    Started started = intent("p-started").as(4711, 1, "boot");

    assertThat(journal(intent("p-started"), started)).containsExactly(started);
  }
}
