package dev.sandpiper.agent.output;

import static dev.sandpiper.agent.output.LogFixture.ONE;
import static dev.sandpiper.agent.output.StreamName.STDOUT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.agent.output.LogFixture.Printer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// On a file system of one MiB, which takes root to mount.
@Timeout(60)
class DiskFullTest {
  @TempDir Path parent;
  private Path disk;

  @BeforeEach
  void mount() throws Exception {
    disk = Files.createDirectory(parent.resolve("disk"));
    assumeTrue(
        run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk.toString()),
        "skipped: a file system of one MiB cannot be mounted here (needs root)");
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

  private static OutputSettings generous() {
    return new OutputSettings(64 << 20, 64 << 20, 100, true, Duration.ofMillis(300));
  }

  private static void finished(LogFixture fixture, String id, int bytes) {
    OutputLog log = fixture.store.create(id, ONE);
    Printer out = fixture.attach(log, STDOUT);
    out.print(Numbered.bytes(0, bytes));
    out.close();
    await().until(log::drained);
    log.finish();
  }

  @Test
  void finishedOutputGoesFirstAndThenTheProcessesOwnOldest() throws Exception {
    try (LogFixture fixture = new LogFixture(disk, generous())) {
      finished(fixture, "old", 300_000);
      OutputLog log = fixture.store.create("live", ONE);
      Printer out = fixture.attach(log, STDOUT);
      // More than fits: segments are of 8 MiB here, so its own segment has to go as a whole.
      int printed = 3 << 20;
      out.print(Numbered.bytes(0, printed));
      out.close();
      await().until(log::drained);
      assertThat(fixture.store.counters().diskFull()).isPositive();
      assertThat(fixture.files()).noneMatch(name -> name.startsWith("old."));
      assertThat(log.endOffset(STDOUT)).isEqualTo(printed);
      Reading reading = new Reading(log.cursor(Position.BEGINNING, Promise.BEST_EFFORT));
      reading.untilDrained();
      assertThat(reading.gaps()).hasSize(1);
      long kept = reading.gaps().getFirst().end();
      assertThat(reading.of(STDOUT).length + kept).isEqualTo(printed);
      assertThat(Numbered.firstDifference(reading.of(STDOUT), kept)).isEqualTo(-1);
      reading.close();
    }
  }

  @Test
  void commandGoesOnWhenThereIsNothingToRemove() throws Exception {
    try (LogFixture fixture = new LogFixture(disk, generous())) {
      Files.write(disk.resolve("ballast"), new byte[(1 << 20) - 4096 * 2]);
      OutputLog log = fixture.store.create("poor", ONE);
      Printer out = fixture.attach(log, STDOUT);
      int printed = 2 << 20;
      out.print(Numbered.bytes(0, printed));
      Files.delete(disk.resolve("ballast"));
      await().until(() -> log.endOffset(STDOUT) == printed);
      out.print(Numbered.bytes(printed, 1_000));
      out.close();
      await().until(log::drained);
      Reading reading = new Reading(log.cursor(Position.BEGINNING, Promise.BEST_EFFORT));
      reading.untilDrained();
      long gap = reading.gaps().stream().mapToLong(step -> step.end() - step.start()).sum();
      assertThat(gap).isPositive();
      assertThat(reading.of(STDOUT).length + gap).isEqualTo(printed + 1_000);
      assertThat(fixture.store.counters().droppedBytes()).isEqualTo(gap);
      reading.close();
    }
  }
}
