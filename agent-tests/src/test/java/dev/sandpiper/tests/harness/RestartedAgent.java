package dev.sandpiper.tests.harness;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// An agent that is killed and started again, on the same port and state directory.
///
/// Everything it prints goes to files, of all its lives together. Closing it ends its commands and its keeper too.
public final class RestartedAgent implements AutoCloseable {
  private final Path directory;
  private final int port;
  private final List<String> flags;
  private final String mark = "/nowhere/" + UUID.randomUUID();
  private List<String> prefix = List.of();
  private @Nullable Process process;
  private @Nullable Path records;
  private int lives;

  /// Not started yet.
  public RestartedAgent(String... flags) {
    try {
      directory = Files.createTempDirectory("sandpiper-test-");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    port = AgentProcess.freePort();
    this.flags = List.of(flags);
  }

  /// Where its records go in place of a file of its own, in every life from now on.
  public RestartedAgent recordsTo(Path path) {
    records = path;
    return this;
  }

  /// Starts and waits until it serves.
  public RestartedAgent start() {
    launch();
    awaitServing();
    return this;
  }

  /// From now on this program, which replaces itself with the agent, comes first: `setpriv`, for example.
  public RestartedAgent via(String... command) {
    prefix = List.of(command);
    return this;
  }

  /// Starts and does not wait.
  public void launch() {
    if (process != null && process.isAlive()) {
      throw new IllegalStateException("it runs");
    }
    List<String> command = new ArrayList<>(prefix);
    command.addAll(List.of(AgentProcess.executable().toString(), "serve"));
    command.addAll(List.of("--port", Integer.toString(port), "--listen", "127.0.0.1"));
    command.addAll(List.of("--state-dir", stateDirectory().toString()));
    command.addAll(flags);
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.directory(directory.toFile());
    builder.environment().merge("PATH", mark, (path, it) -> path + ":" + it);
    Path to = records;
    builder.redirectOutput(
        ProcessBuilder.Redirect.appendTo(to == null ? file("records") : to.toFile()));
    builder.redirectError(ProcessBuilder.Redirect.appendTo(file("stderr")));
    try {
      process = builder.start();
      lives++;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private java.io.File file(String name) {
    return directory.resolve(name).toFile();
  }

  /// Waits until it answers a request for its processes.
  public void awaitServing() {
    Deadline deadline = Deadline.in(Deadline.PATIENCE);
    while (!serves()) {
      try {
        if (deadline.passed() || process().waitFor(5, TimeUnit.MILLISECONDS)) {
          throw new AssertionError("the agent did not come up; it said: " + said());
        }
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  private boolean serves() {
    try (HttpConnection connection = HttpConnection.to(port)) {
      connection.send("GET", "/health", Map.of());
      return connection.head(Deadline.in(Deadline.PATIENCE)).status() == 204;
    } catch (UncheckedIOException | HttpConnection.Cut | TimeoutException e) {
      return false; // not yet
    }
  }

  /// Kills it, as a crash would.
  public void kill() {
    process().destroyForcibly();
    awaitExit();
  }

  /// Asks it to stop, and waits until it has.
  public void stop() {
    process().destroy();
    awaitExit();
  }

  private void awaitExit() {
    try {
      if (!process().waitFor(Deadline.PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
        throw new AssertionError("the agent did not end; it said: " + said());
      }
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private Process process() {
    if (process == null) {
      throw new IllegalStateException("it was not started");
    }
    return process;
  }

  public int lives() {
    return lives;
  }

  public int port() {
    return port;
  }

  public long pid() {
    return process().pid();
  }

  public Path directory() {
    return directory;
  }

  public Path stateDirectory() {
    return directory.resolve("state");
  }

  public RpcClient rpc() {
    return new ConnectClient(port, ConnectClient.Codec.BINARY);
  }

  public Processes processes() {
    return new Processes(rpc());
  }

  /// The pid that the file of the keeper names; 0 where there is none.
  public long keeperPid() {
    Path file = stateDirectory().resolve("keeper");
    try {
      return Files.exists(file)
          ? Long.parseLong(Files.readAllLines(file).get(1).split(" ", -1)[0])
          : 0;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Records and messages of all lives.
  public String said() {
    try {
      return Files.readString(directory.resolve("stderr"), StandardCharsets.ISO_8859_1)
          + (records == null
              ? Files.readString(directory.resolve("records"), StandardCharsets.ISO_8859_1)
              : "");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    if (process != null) {
      process.destroyForcibly();
      awaitExit();
    }
    for (long pid : ProcFs.withEnvironmentContaining(mark)) {
      ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
    }
    AgentProcess.remove(directory);
  }
}
