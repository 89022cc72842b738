import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// Records the image's AOT cache: an agent is started as the launcher starts it, driven by `Train`, and ended.
///
/// Only the compiler differs from a normal run. Code is trained with the first compiler alone, as a cache trained with
/// both costs 39 ms at every start.
final class AotCache {
  private static final Duration START = Duration.ofMinutes(2);
  private static final Duration END = Duration.ofMinutes(10);

  private final Path image;
  private final String mainClass;
  private final int port = freePort();

  AotCache(Path image, String mainClass) {
    this.image = image;
    this.mainClass = mainClass;
  }

  /// Leaves the cache in `target`. Throws with the agent's own words if that fails.
  void record(Path target) throws IOException {
    Path work = Files.createTempDirectory("sandpiper-train");
    Path log = work.resolve("stderr.txt");
    Path recorded = work.resolve("sandpiper.aot");
    var agent =
        new ProcessBuilder(command(recorded, work))
            .redirectOutput(work.resolve("records.txt").toFile())
            .redirectError(log.toFile())
            .directory(work.toFile());
    agent.environment().keySet().removeIf(name -> !name.equals("PATH"));
    Process running = agent.start();
    try {
      running.getOutputStream().close();
      drive(running, work);
      running.destroy();
      if (!running.waitFor(END.toSeconds(), TimeUnit.SECONDS)) {
        throw new IOException("the agent did not end within " + END);
      }
      if (!Files.exists(recorded)) {
        throw new IOException("the JVM ended with " + running.exitValue() + " and left no cache");
      }
      Files.move(recorded, target, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException | RuntimeException e) {
      throw new IOException(e + said(log), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    } finally {
      running.destroyForcibly();
      Image.deleteTree(work);
    }
  }

  private void drive(Process agent, Path work) throws IOException {
    var train = new Train(port);
    train.awaitHealth(START, agent::isAlive);
    train.exercise(work);
  }

  private List<String> command(Path recorded, Path work) {
    Path lib = image.resolve("lib");
    // As in bin/sandpiper.
    var command = new ArrayList<String>(List.of("/bin/sh", "-c", "exec \"$@\" 3>&1 1>&2", "sh"));
    command.addAll(
        List.of(
            image.resolve("runtime/bin/java").toString(),
            "@" + lib.resolve("jvm.options"),
            "-XX:TieredStopAtLevel=1",
            // A method that is hot here stays with the first compiler for ever. Of base64, which
            // jvm.options make hot at once,
            // that would cost half the speed of every JSON stream.
            "-XX:CompileCommand=CompileThresholdScaling,java.util.Base64$Encoder::encode0,1000.0",
            "-XX:AOTCacheOutput=" + recorded,
            "-Djava.library.path=" + lib.resolve("native"),
            "-Dsandpiper.home=" + image,
            "-cp",
            lib.resolve("sandpiper.jar").toString(),
            mainClass,
            "serve",
            "--listen",
            "127.0.0.1",
            "--port",
            Integer.toString(port),
            "--state-dir",
            work.resolve("state").toString()));
    return command;
  }

  private static int freePort() {
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new IllegalStateException("no free port on the loopback address", e);
    }
  }

  private static String said(Path log) throws IOException {
    List<String> lines = Files.exists(log) ? Files.readAllLines(log) : List.of();
    return lines.isEmpty()
        ? ""
        : "; the agent said:\n  "
            + String.join("\n  ", lines.subList(Math.max(0, lines.size() - 10), lines.size()));
  }
}
