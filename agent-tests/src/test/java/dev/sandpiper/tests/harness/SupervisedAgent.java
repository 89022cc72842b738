package dev.sandpiper.tests.harness;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// `bin/sandpiper-supervise serve`: the restart loop of the built image, with an agent in it.
///
/// Closing it ends loop, agent, keeper and commands, which are found by a mark in their `PATH`.
public final class SupervisedAgent implements AutoCloseable {
  private final Path directory;
  private final int port = AgentProcess.freePort();
  private final String mark = "/nowhere/" + UUID.randomUUID();
  private final Process loop;

  /// Starts the loop with one shell, `sh` or another, and does not wait.
  public SupervisedAgent(String shell, String... flags) {
    try {
      directory = Files.createTempDirectory("sandpiper-test-");
      List<String> command = new ArrayList<>(List.of(shell));
      command.addAll(List.of(program("sandpiper-supervise").toString(), "serve"));
      command.addAll(List.of("--port=" + port, "--state-dir=" + directory.resolve("state")));
      command.addAll(List.of(flags));
      ProcessBuilder builder = new ProcessBuilder(command).directory(directory.toFile());
      builder.environment().merge("PATH", mark, (path, it) -> path + ":" + it);
      loop =
          builder
              .redirectOutput(directory.resolve("records").toFile())
              .redirectError(directory.resolve("stderr").toFile())
              .start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// A program beside `bin/sandpiper`.
  public static Path program(String name) {
    return AgentProcess.executable().resolveSibling(name);
  }

  public int port() {
    return port;
  }

  public Path directory() {
    return directory;
  }

  /// The process of the loop's child, which is the agent, or about to execute it.
  public Optional<ProcessHandle> agent() {
    return loop.toHandle().children().filter(ProcessHandle::isAlive).findFirst();
  }

  public boolean serves() {
    try (HttpConnection connection = HttpConnection.to(port)) {
      connection.send("GET", "/health", Map.of());
      return connection.head(Deadline.in(Duration.ofSeconds(5))).status() == 204;
    } catch (UncheckedIOException | HttpConnection.Cut | TimeoutException e) {
      return false; // not yet
    }
  }

  public Processes processes() {
    return new Processes(new ConnectClient(port, ConnectClient.Codec.BINARY));
  }

  /// Sends the loop, not the agent, a signal.
  public void signal(String name) {
    Shell.run("kill", "-" + name, Long.toString(loop.pid())).requireSuccess();
  }

  /// Waits for the loop to end, and gives its exit code.
  public int awaitExit() {
    try {
      if (!loop.waitFor(Deadline.PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
        throw new AssertionError("the loop goes on; it said: " + stderr());
      }
      return loop.exitValue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  public String stderr() {
    return text("stderr");
  }

  public String records() {
    return text("records");
  }

  private String text(String name) {
    try {
      return Files.readString(directory.resolve(name), StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    loop.destroyForcibly();
    awaitExit();
    for (long pid : ProcFs.withEnvironmentContaining(mark)) {
      ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
    }
    AgentProcess.remove(directory);
  }
}
