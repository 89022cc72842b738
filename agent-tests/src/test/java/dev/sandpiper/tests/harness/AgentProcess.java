package dev.sandpiper.tests.harness;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// The built image, running `serve` as a process of its own with a state directory of its own.
///
/// Its standard output is read as [Records]; its standard error goes to a file. When it is stopped, its standard output
/// must have been pure, and whatever its commands left running is ended: they are found by a mark in the `PATH` that the
/// agent hands down to every command that does not set its own.
public final class AgentProcess implements AutoCloseable {
  private final Process process;
  private final int port;
  private final Path directory;
  private final String mark;
  private final Records records;
  private final GrpcClient grpc;
  private final int healthyStatus;
  private boolean killed;

  private AgentProcess(Process process, int port, Path directory, String mark, int healthyStatus) {
    this.process = process;
    this.healthyStatus = healthyStatus;
    this.port = port;
    this.directory = directory;
    this.mark = mark;
    this.records = new Records(process.getInputStream());
    this.grpc = new GrpcClient(port);
  }

  /// What to start: nothing but a port and a state directory unless said otherwise.
  public static final class Builder {
    private final List<String> flags = new ArrayList<>();
    private final Map<String, String> environment = new LinkedHashMap<>();
    private final List<String> prefix = new ArrayList<>();
    private @Nullable Account account;
    private @Nullable Path stateDirectory;
    private int healthyStatus = 204;

    /// TLS with these files. A port that speaks TLS answers the plain request that waits for it with 400.
    public Builder tls(Path certificate, Path key) {
      healthyStatus = 400;
      return flag("--tls-cert", certificate).flag("--tls-key", key);
    }

    public Builder flag(String name, Object value) {
      flags.add(name + "=" + value);
      return this;
    }

    public Builder environment(String name, String value) {
      environment.put(name, value);
      return this;
    }

    /// A state directory that outlives the agent; the caller removes it.
    public Builder stateDirectory(Path path) {
      stateDirectory = path;
      return this;
    }

    /// Runs the agent as that account in place of the tests' own; skips the test if it cannot read the image.
    public Builder as(Account it) {
      Shell.Result readable = Shell.run(it.commandAs("test", "-x", executable().toString()));
      assumeTrue(readable.exitCode() == 0, "another account may not read the image where it lies");
      account = it;
      return this;
    }

    /// A program that replaces itself with the agent, such as `env` or a shell's `exec`; comes before [#as].
    public Builder via(String... command) {
      prefix.addAll(List.of(command));
      return this;
    }

    public AgentProcess start() {
      try {
        Path directory = Files.createTempDirectory("sandpiper-test-");
        if (account != null) {
          Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxrwxrwx"));
          prefix.addAll(List.of(account.commandAs()));
        }
        String mark = "/nowhere/" + UUID.randomUUID();
        int port = freePort();
        ProcessBuilder builder = new ProcessBuilder(prefix);
        builder.command().addAll(List.of(executable().toString(), "serve"));
        builder.command().addAll(List.of("--port", Integer.toString(port)));
        builder.command().addAll(List.of("--listen", "127.0.0.1"));
        Path state = stateDirectory == null ? directory.resolve("state") : stateDirectory;
        builder.command().addAll(List.of("--state-dir", state.toString()));
        builder.command().addAll(flags);
        builder.directory(directory.toFile());
        builder.environment().merge("PATH", mark, (path, it) -> path + ":" + it);
        builder.environment().putAll(environment);
        builder.redirectError(directory.resolve("stderr").toFile());
        AgentProcess agent =
            new AgentProcess(builder.start(), port, directory, mark, healthyStatus);
        agent.awaitHealth();
        return agent;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  public static Builder builder() {
    return new Builder();
  }

  public static AgentProcess start() {
    return builder().start();
  }

  /// The directory of the image under test.
  public static Path image() {
    return Path.of(System.getProperty("sandpiper.image", "../agent/target/sandpiper"))
        .toAbsolutePath()
        .normalize();
  }

  /// `bin/sandpiper` of the image under test.
  public static Path executable() {
    Path image = image();
    Path executable = image.resolve("bin/sandpiper");
    if (!Files.isExecutable(executable)) {
      throw new AssertionError("no image at " + image + "; make one with: mvn -DskipTests package");
    }
    return executable;
  }

  /// A port that nobody has, below those that the kernel gives to clients: no connection of another test takes it before
  /// the agent does, or while the agent is down.
  public static int freePort() {
    for (int i = 0; i < 1000; i++) {
      int port = ThreadLocalRandom.current().nextInt(10_000, 32_768);
      try (ServerSocket socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
        return socket.getLocalPort();
      } catch (BindException e) {
        // Somebody has it.
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    throw new AssertionError("no free port from 10000 to 32767");
  }

  private void awaitHealth() {
    Deadline deadline = Deadline.in(Deadline.PATIENCE);
    while (!healthy()) {
      try {
        if (deadline.passed() || process.waitFor(10, TimeUnit.MILLISECONDS)) {
          String said = stderr();
          process.destroyForcibly();
          throw new AssertionError("the agent did not come up; it said: " + said);
        }
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  private boolean healthy() {
    try (HttpConnection connection = HttpConnection.to(port)) {
      connection.send("GET", "/health", Map.of());
      return connection.head(Deadline.in(Duration.ofSeconds(5))).status() == healthyStatus;
    } catch (UncheckedIOException | HttpConnection.Cut | TimeoutException e) {
      return false; // not yet
    }
  }

  public int port() {
    return port;
  }

  public long pid() {
    return process.pid();
  }

  public Records records() {
    return records;
  }

  public Path stateDirectory() {
    return directory.resolve("state");
  }

  /// What the agent and the JVM wrote to standard error so far.
  public String stderr() {
    try {
      return Files.readString(directory.resolve("stderr"), StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The process service as E2B's SDKs call it: Connect with JSON.
  public Processes processes() {
    return json();
  }

  public Processes json() {
    return new Processes(new ConnectClient(port, ConnectClient.Codec.JSON));
  }

  public Processes binary() {
    return new Processes(new ConnectClient(port, ConnectClient.Codec.BINARY));
  }

  /// A binary Connect client whose socket holds little, so that it is soon felt when it stops reading.
  public Processes binaryWithReceiveBuffer(int bytes) {
    return new Processes(ConnectClient.withReceiveBuffer(port, ConnectClient.Codec.BINARY, bytes));
  }

  public Processes grpcWeb() {
    return new Processes(new GrpcWebClient(port));
  }

  public Processes grpc() {
    return new Processes(grpc);
  }

  public GrpcClient grpcClient() {
    return grpc;
  }

  public HttpConnection http() {
    return HttpConnection.to(port);
  }

  public boolean alive() {
    return process.isAlive();
  }

  /// Sends the agent a signal by its number's name, as `kill -NAME` does.
  public void signal(String name) {
    Shell.run("kill", "-" + name, Long.toString(process.pid())).requireSuccess();
  }

  /// Ends the agent as a crash would; its commands go on.
  public void killHard() {
    killed = true;
    process.destroyForcibly();
    awaitExit();
  }

  /// Waits for the agent to end and gives its exit code.
  public int awaitExit() {
    try {
      if (!process.waitFor(Deadline.PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
        throw new AssertionError("the agent did not end in " + Deadline.PATIENCE);
      }
      return process.exitValue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /// Ends commands that still run, stops the agent with SIGTERM, and checks all that came out of its standard output.
  @Override
  public void close() {
    grpc.close();
    endWhatIsLeft();
    boolean crashed = killed || !process.isAlive();
    process.destroy();
    try {
      if (!process.waitFor(Deadline.PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new AssertionError("SIGTERM did not stop the agent; it said: " + stderr());
      }
      endWhatIsLeft();
      // A reader that was too slow to the end is the one other reason for a line that was cut, and
      // the agent says so.
      boolean gaveUp = stderr().contains("standard output was not read in time");
      records.awaitEndOfOutput(crashed || gaveUp);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    } finally {
      remove(directory);
    }
  }

  private void endWhatIsLeft() {
    for (long pid : ProcFs.withEnvironmentContaining(mark)) {
      if (pid != process.pid()) {
        ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
      }
    }
  }

  /// Removes a directory and all that is in it.
  public static void remove(Path directory) {
    try {
      Files.walkFileTree(
          directory,
          new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                throws IOException {
              Files.deleteIfExists(file);
              return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path path, @Nullable IOException e)
                throws IOException {
              Files.deleteIfExists(path);
              return FileVisitResult.CONTINUE;
            }
          });
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
