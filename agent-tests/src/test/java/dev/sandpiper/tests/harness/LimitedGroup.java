package dev.sandpiper.tests.harness;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.stream.Collectors;

/// A control group of the kernel's with limits, made for one test; of whichever version this machine has.
public final class LimitedGroup implements AutoCloseable {
  private static final Path MOUNT = Path.of("/sys/fs/cgroup");

  private final List<Path> directories;

  private LimitedGroup(List<Path> directories) {
    this.directories = directories;
  }

  /// Makes it; skips the test, and says why, where this machine lets it make none.
  public static LimitedGroup of(long memoryBytes, double processors) {
    LimitedGroup group = new LimitedGroup(new ArrayList<>());
    String name = "sandpiper-test-" + UUID.randomUUID();
    try {
      if (Files.exists(MOUNT.resolve("cgroup.controllers"))) {
        Path directory = group.make(MOUNT.resolve(name));
        set(directory, "memory.max", Long.toString(memoryBytes));
        set(directory, "cpu.max", (long) (processors * 100_000) + " 100000");
      } else {
        set(
            group.make(MOUNT.resolve("memory").resolve(name)),
            "memory.limit_in_bytes",
            Long.toString(memoryBytes));
        Path cpu = group.make(MOUNT.resolve("cpu").resolve(name));
        set(cpu, "cpu.cfs_period_us", "100000");
        set(cpu, "cpu.cfs_quota_us", Long.toString((long) (processors * 100_000)));
        if (!Files.exists(cpu.resolve("cpuacct.usage"))) {
          group.make(MOUNT.resolve("cpuacct").resolve(name));
        }
      }
      return group;
    } catch (IOException e) {
      group.close();
      assumeTrue(false, "needs the right to make a control group with limits: " + e);
      throw new AssertionError(e);
    }
  }

  private Path make(Path directory) throws IOException {
    Files.createDirectory(directory);
    directories.add(directory);
    return directory;
  }

  /// Written to, never created: what the kernel has not put there is not to be had.
  private static void set(Path directory, String file, String value) throws IOException {
    try (var out = Files.newOutputStream(directory.resolve(file), StandardOpenOption.WRITE)) {
      out.write(value.getBytes(StandardCharsets.US_ASCII));
    }
  }

  /// A command that joins the group and then becomes what is appended.
  public String[] enter() {
    String joins =
        directories.stream()
            .map(directory -> "echo $$ > '" + directory.resolve("cgroup.procs") + "' && ")
            .collect(Collectors.joining());
    return new String[] {"/bin/sh", "-c", joins + "exec \"$@\"", "sh"};
  }

  @Override
  public void close() {
    for (Path directory : directories) {
      Deadline deadline = Deadline.in(Deadline.PATIENCE);
      while (Files.exists(directory)) {
        if (!directory.toFile().delete() && deadline.passed()) {
          throw new AssertionError(directory + " cannot be removed: is somebody left in it?");
        }
      }
    }
  }
}
