package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.Json;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.Records.Entry;
import dev.sandpiper.tests.harness.Scrape;
import dev.sandpiper.tests.harness.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The state directory lies on a file system of eight MiB, which takes root to mount.
final class DiskFullIT {
  private static final int MIB = 1 << 20;
  private static final int SHORT_ONES = 100;

  @TempDir Path parent;
  private Path disk;

  @BeforeEach
  void mount() throws IOException {
    disk = Files.createDirectory(parent.resolve("disk"));
    assumeTrue(
        Shell.run("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk.toString()).exitCode()
            == 0,
        "skipped: a file system of eight MiB cannot be mounted here (needs root)");
  }

  @AfterEach
  void unmount() {
    Shell.run("umount", "-l", disk.toString());
  }

  private AgentProcess start() {
    return AgentProcess.builder()
        .stateDirectory(disk.resolve("state"))
        .flag("--output-retention", "64MiB")
        .flag("--output-total", "64MiB")
        .start();
  }

  private List<String> segments() throws IOException {
    try (Stream<Path> files = Files.list(disk.resolve("state/output"))) {
      return files.map(file -> file.getFileName().toString()).toList();
    }
  }

  @Test
  void theOldestOutputGoesAndTheAgentAndItsCommandsGoOn() throws IOException, TimeoutException {
    String first;
    try (AgentProcess agent = start()) {
      try (Follower run = agent.binary().run(Command.sh("head -c 2M /dev/zero").tag("first"))) {
        assertThat(run.bytes()).isEqualTo(2L * MIB);
      }
      first = agent.records().awaitEnd("first").getFirst().string("process_id");
      assertThat(segments()).anyMatch(name -> name.startsWith(first));

      // Nobody is attached, so nobody is promised anything.
      try (Follower run =
          agent
              .binary()
              .start(Command.sh("sleep 0.2; head -c 20M /dev/zero; exit 3").tag("flood"))) {
        run.pid();
      }
      Entry end = agent.records().awaitEnd("flood").getLast();
      assertThat(end.number("stdout_bytes")).isEqualTo(20L * MIB);
      assertThat(end.number("exit_code")).isEqualTo(3);
      assertThat(segments()).noneMatch(name -> name.startsWith(first));

      // Full to the last block, by somebody else.
      Shell.run("sh", "-c", "cat /dev/zero > " + disk.resolve("ballast"));
      for (int i = 0; i < SHORT_ONES; i++) {
        try (Follower run = agent.binary().start(Command.sh("exit 5").tag("short" + i))) {
          assertThat(run.end().exitCode()).isEqualTo(5);
        }
      }
      Scrape metrics = Scrape.of(agent);
      assertThat(metrics.value("sandpiper_output_disk_full_total")).isPositive();
      agent
          .records()
          .await(
              "a warning",
              entry -> entry.has("message") && entry.message().startsWith("no space in "));
      Measured.print(
          "%.0f times the disk was full", metrics.value("sandpiper_output_disk_full_total"));
      agent.killHard();
    }
    try (AgentProcess agent = start()) {
      Map<String, Json> byTag = new java.util.HashMap<>();
      try (HttpConnection connection = agent.http()) {
        Json all = Json.parse(connection.send("GET", "/v1/process", Map.of()).reply().text());
        for (Json process : all.get("processes").array()) {
          if (process.has("tag")) {
            byTag.put(process.string("tag"), process);
          }
        }
      }
      assertThat(byTag).hasSize(SHORT_ONES + 2);
      byTag.forEach((tag, process) ->
          assertThat(process.number("exitCode"))
              .as(tag)
              .isEqualTo(tag.equals("first") ? 0 : tag.equals("flood") ? 3 : 5));
      Files.delete(disk.resolve("ballast"));
      try (Follower run = agent.binary().start(Command.sh("echo still here"))) {
        assertThat(run.end().exitCode()).isZero();
      }
    }
  }
}
