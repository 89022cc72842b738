package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.Numbers;
import dev.sandpiper.tests.harness.ProcFs;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// The agent dies while a command prints, and somebody still holds the command's FIFO open.
///
/// What is in the segments and what is still in the FIFO are together what the command wrote: nothing missing, nothing
/// twice.
final class CrashIT {
  private static final int KILLS = Boolean.getBoolean("sandpiper.proof") ? 200 : 20;
  private static final int MOST_NANOS = 3_000_000;

  @Test
  void aKilledAgentLosesNoByteAndRepeatsNone() throws IOException {
    Numbers numbers = Numbers.ofAtLeast(6 << 20);
    long seed = System.nanoTime();
    Random random = new Random(seed);
    long inSegments = 0;
    for (int i = 0; i < KILLS; i++) {
      inSegments += killOnce(numbers, random, "kill " + i + " of seed " + seed);
    }
    Measured.print(
        "%d kills, seed %d: on average %d of %d KiB were in the segments",
        KILLS, seed, (inSegments / KILLS) >> 10, numbers.bytes() >> 10);
  }

  /// Returns the bytes that were in the segments.
  private static long killOnce(Numbers numbers, Random random, String name) throws IOException {
    try (AgentProcess agent = AgentProcess.start();
        Follower run = agent.binary().start(numbers.afterInput())) {
      Path fifo = Path.of(ProcFs.descriptors(run.pid()).get(1));
      assertThat(fifo).as("standard output is a FIFO that has a path").exists();
      try (InputStream held = new FileInputStream(fifo.toFile())) {
        agent.json().sendStdin(run.pid(), "\n");
        run.withoutKeepingOutput().awaitBytes(random.nextLong(numbers.bytes() * 3 / 4));
        LockSupport.parkNanos(random.nextInt(MOST_NANOS));
        agent.killHard();

        MessageDigest digest = Numbers.sha256();
        long inSegments = readSegments(agent.stateDirectory().resolve("output"), digest);
        long inFifo = readAll(held, digest);
        assertThat(inSegments + inFifo).as(name).isEqualTo(numbers.bytes());
        assertThat(HexFormat.of().formatHex(digest.digest())).as(name).isEqualTo(numbers.hash());
        return inSegments;
      } finally {
        AgentProcess.remove(Objects.requireNonNull(fifo.getParent()));
      }
    }
  }

  /// Segments are named by process, stream and start offset.
  private static long readSegments(Path directory, MessageDigest digest) throws IOException {
    List<Path> segments;
    try (Stream<Path> files = Files.list(directory)) {
      segments =
          files
              .filter(file -> file.getFileName().toString().contains(".stdout."))
              .sorted(Comparator.comparingLong(CrashIT::startOffset))
              .toList();
    }
    long at = 0;
    for (Path segment : segments) {
      assertThat(startOffset(segment)).as("segments follow each other").isEqualTo(at);
      try (InputStream in = Files.newInputStream(segment)) {
        at += readAll(in, digest);
      }
    }
    return at;
  }

  private static long startOffset(Path segment) {
    String name = segment.getFileName().toString();
    return Long.parseLong(name.substring(name.lastIndexOf('.') + 1));
  }

  private static long readAll(InputStream in, MessageDigest digest) throws IOException {
    byte[] part = new byte[1 << 16];
    long total = 0;
    int n = in.read(part);
    while (n >= 0) {
      digest.update(part, 0, n);
      total += n;
      n = in.read(part);
    }
    return total;
  }
}
