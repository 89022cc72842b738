package dev.sandpiper.agent.output;

import static dev.sandpiper.agent.output.LogFixture.check;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(900)
class CrashTest {
  @TempDir Path directory;

  /// One command prints without end into one FIFO, which the test keeps open, as the keeper does. Agent after agent takes from it and
  /// is killed. What lies in their segments, one after the other, and in the FIFO at last, is what was printed.
  @Test
  void killedAgentsLoseNothingAndRepeatNothing() throws Exception {
    int kills = Report.proof() ? 200 : 20;
    long seed = System.nanoTime();
    Random random = new Random(seed);
    Path output = Files.createDirectory(directory.resolve("output"));
    Path fifo = directory.resolve("fifo");
    check(Posix.mkfifo(fifo.toString(), 0600));
    int kept =
        check(Posix.open(fifo.toString(), Fcntl.O_RDONLY | Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC, 0));
    int write = check(Posix.open(fifo.toString(), Fcntl.O_WRONLY | Fcntl.O_CLOEXEC, 0));
    Posix.fcntl(kept, Fcntl.F_SETPIPE_SZ, 256 * 1024);
    AtomicBoolean enough = new AtomicBoolean();
    AtomicLong printed = new AtomicLong();
    Thread command = command(write, seed, enough, printed);

    long stored = 0;
    int segments = 0;
    for (int kill = 0; kill < kills; kill++) {
      Process agent = agent(output, "life" + kill, fifo);
      if (kill % 5 != 4) {
        awaitReady(agent);
        LockSupport.parkNanos(random.nextInt(80_000_000));
      } else {
        LockSupport.parkNanos(random.nextInt(300_000_000)); // perhaps while it starts
      }
      agent.destroyForcibly().waitFor();
      for (Path segment : segments(output, "life" + kill)) {
        byte[] bytes = Files.readAllBytes(segment);
        assertThat(Numbered.firstDifference(bytes, stored))
            .as("seed %d, kill %d, %s", seed, kill, segment.getFileName())
            .isEqualTo(-1);
        stored += bytes.length;
        segments++;
        Files.delete(segment);
      }
    }

    enough.set(true);
    long inFifo = drainFifo(kept, command, stored, seed);
    assertThat(stored + inFifo).as("seed %d", seed).isEqualTo(printed.get());
    Report.say(
        "%d kills: %d MiB in %d segments and %d KiB in the FIFO are what was printed (seed %d)",
        kills, stored >> 20, segments, inFifo >> 10, seed);
    Posix.close(kept);
  }

  private static Thread command(int write, long seed, AtomicBoolean enough, AtomicLong printed) {
    Random random = new Random(seed + 1);
    return Thread.ofPlatform()
        .start(() -> {
          ByteBuffer direct = ByteBuffer.allocateDirect(64 * 1024);
          long at = 0;
          while (!enough.get()) {
            int length = 1 + random.nextInt(1 << random.nextInt(17));
            direct.clear();
            for (int i = 0; i < length; i++) {
              direct.put(Numbered.at(at + i));
            }
            direct.flip();
            while (direct.hasRemaining()) {
              check((int) Posix.write(write, direct));
            }
            at += length;
            printed.set(at);
          }
          Posix.close(write);
        });
  }

  private static long drainFifo(int fd, Thread command, long from, long seed)
      throws InterruptedException {
    ByteBuffer direct = ByteBuffer.allocateDirect(64 * 1024);
    long total = 0;
    while (true) {
      boolean over = !command.isAlive();
      long count = Posix.read(fd, direct.clear());
      if (count == 0 || (count == -Errno.EAGAIN && over)) {
        command.join(TimeUnit.SECONDS.toMillis(10));
        return total;
      }
      if (count > 0) {
        byte[] bytes = new byte[(int) count];
        direct.flip().get(bytes);
        assertThat(Numbered.firstDifference(bytes, from + total)).as("seed %d", seed).isEqualTo(-1);
        total += count;
      }
    }
  }

  private static void awaitReady(Process agent) throws IOException {
    String line;
    do {
      line = agent.inputReader().readLine();
      assertThat(line).as("the agent's output").isNotNull();
    } while (!line.equals("ready")); // Netty says this and that before
  }

  private static Process agent(Path output, String id, Path fifo) throws IOException {
    String classPath =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-Xmx64m",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-cp",
            classPath,
            CrashAgent.class.getName(),
            output.toString(),
            id,
            fifo.toString())
        .redirectError(ProcessBuilder.Redirect.DISCARD)
        .start();
  }

  private static List<Path> segments(Path output, String id) throws IOException {
    try (Stream<Path> files = Files.list(output)) {
      return files
          .filter(file -> file.getFileName().toString().startsWith(id + ".stdout."))
          .sorted(Comparator.comparingLong(CrashTest::start))
          .toList();
    }
  }

  private static long start(Path segment) {
    FileName name = FileName.parse(segment.getFileName().toString());
    return name == null ? -1 : name.start();
  }
}
