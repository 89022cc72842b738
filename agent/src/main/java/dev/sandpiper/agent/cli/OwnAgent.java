package dev.sandpiper.agent.cli;

import java.io.BufferedReader;
import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// An agent of this program's own: `bin/sandpiper serve` of the same image, on a free port of the loopback, with a
/// private state directory. `close` stops it and removes the directory; so does the end of the program.
final class OwnAgent implements Closeable {
  private static final int TRIES =
      3; // another program may take the port between its choice and its use
  private static final Duration START_LIMIT = Duration.ofSeconds(30);
  private static final Duration STOP_LIMIT = Duration.ofSeconds(10);
  private static final Duration PROBE_TIMEOUT = Duration.ofSeconds(2);
  private static final long PROBE_NANOS = Duration.ofMillis(5).toNanos();
  private static final int NO_CONTENT = 204;
  private static final int TAIL_LINES = 10;
  private static final int TOKEN_BYTES = 16;

  // Ctrl-C and a closing terminal reach every process of the terminal's foreground group. They are
  // meant for the
  // command: `run` passes them on and stops this agent afterwards. What is ignored stays ignored
  // across exec, and the
  // JVM respects it; the agent gives its commands the default dispositions again.
  private static final String SHELL = "/bin/sh";
  private static final String SCRIPT = "trap '' INT HUP; exec \"$@\"";

  /// Where an agent comes from: the start script, and a directory in which its private one is made.
  record Place(Path program, Path temporary) {}

  private final AgentUrl url;
  private final String token;
  private final Process process;
  private final Path directory;
  private final @Nullable Thread records;
  private final Thread hook;

  private OwnAgent(
      AgentUrl url, String token, Process process, Path directory, @Nullable Thread records) {
    this.url = url;
    this.token = token;
    this.process = process;
    this.directory = directory;
    this.records = records;
    this.hook = new Thread(this::stop, "stop-own-agent");
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /// Starts the place's agent and returns when it answers. `records` is called with each line of its standard output, on
  /// a thread of its own. Throws `IOException` with the agent's own words when it does not come up.
  static OwnAgent start(Place place, Optional<Consumer<String>> records) throws IOException {
    var program = place.program();
    if (!Files.isExecutable(program)) {
      throw new IOException("no agent answers, and " + program + " is no program that starts one");
    }
    for (var attempt = 1; ; attempt++) {
      var url = AgentUrl.local(freePort());
      try {
        return start(place, url, records);
      } catch (IOException e) {
        if (attempt == TRIES || !taken(url)) {
          throw e;
        }
      }
    }
  }

  private static boolean taken(AgentUrl url) {
    try {
      HttpConnection.open(url, PROBE_TIMEOUT).close();
      return true;
    } catch (IOException _) {
      return false;
    }
  }

  private static OwnAgent start(Place place, AgentUrl url, Optional<Consumer<String>> records)
      throws IOException {
    var directory = Files.createTempDirectory(place.temporary(), "sandpiper-run-");
    var errors = directory.resolve("stderr").toFile();
    var builder =
        new ProcessBuilder(
            SHELL,
            "-c",
            SCRIPT,
            "sh",
            place.program().toString(),
            "serve",
            "--listen=" + url.host(),
            "--port=" + url.port(),
            "--state-dir=" + directory.resolve("state"));
    // Those are for an agent that others reach. This one is ours alone, spoken to in plain text,
    // and with a token that nobody else knows.
    builder.environment().keySet().removeIf(OwnAgent::isForOthers);
    var token = newToken();
    builder.environment().put(Options.TOKEN_VARIABLE, token);
    builder.redirectInput(new File("/dev/null")).redirectError(errors);
    if (records.isEmpty()) {
      builder.redirectOutput(ProcessBuilder.Redirect.DISCARD);
    }
    OwnAgent agent;
    try {
      var process = builder.start();
      var reader = records.map(consumer -> read(process, consumer)).orElse(null);
      agent = new OwnAgent(url, token, process, directory, reader);
    } catch (IOException e) {
      remove(directory);
      throw e;
    }
    if (agent.answers()) {
      return agent;
    }
    var words = tail(errors.toPath());
    agent.close();
    throw new IOException("the agent that was to run the command did not start" + words);
  }

  private static boolean isForOthers(String variable) {
    return variable.startsWith("SANDPIPER_TLS_")
        || variable.startsWith("SANDPIPER_ACCESS_TOKEN")
        || variable.startsWith("SANDPIPER_INIT_SECRET")
        || variable.equals("SANDPIPER_AWAIT_INIT")
        || variable.equals("SANDPIPER_ALLOW_UNAUTHENTICATED");
  }

  private static String newToken() {
    var bytes = new byte[TOKEN_BYTES];
    new SecureRandom().nextBytes(bytes);
    return HexFormat.of().formatHex(bytes);
  }

  private static int freePort() throws IOException {
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  private static Thread read(Process process, Consumer<String> records) {
    return Thread.ofPlatform()
        .daemon()
        .name("records")
        .start(() -> {
          try (var lines =
              new BufferedReader(
                  new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (var line = lines.readLine(); line != null; line = lines.readLine()) {
              records.accept(line);
            }
          } catch (IOException e) {
            throw new UncheckedIOException("cannot read the agent's records", e);
          }
        });
  }

  private boolean answers() {
    var deadline = System.nanoTime() + START_LIMIT.toNanos();
    while (process.isAlive() && System.nanoTime() < deadline) {
      try {
        // Alive after the answer, too: else it was a stranger who took the port.
        if (AgentClient.health(url, PROBE_TIMEOUT) == NO_CONTENT && process.isAlive()) {
          return true;
        }
      } catch (IOException _) {
        // Not listening yet. Nothing but its answer says that it does.
      }
      LockSupport.parkNanos(PROBE_NANOS);
    }
    return false;
  }

  private static String tail(Path errors) {
    try {
      var lines = Files.readString(errors).lines().toList();
      var last = lines.subList(Math.max(0, lines.size() - TAIL_LINES), lines.size());
      return last.isEmpty() ? " and says nothing" : ":\n  " + String.join("\n  ", last);
    } catch (IOException e) {
      return "; what it said cannot be read: " + e.getMessage();
    }
  }

  AgentUrl url() {
    return url;
  }

  /// What its calls have to show.
  String token() {
    return token;
  }

  long pid() {
    return process.pid();
  }

  /// Stops the agent, waits until its last record was read, and removes its directory. May be called twice.
  @Override
  public void close() {
    stop();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException _) {
      // The program is ending, and the hook runs or has run.
    }
  }

  private void stop() {
    // Not Process.destroy, which also closes our end of its output before the last records were
    // read.
    process.toHandle().destroy();
    try {
      if (!process.waitFor(STOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
        process.toHandle().destroyForcibly();
        process.waitFor();
      }
      if (records != null) {
        // A background command may still hold the agent's standard output, if the agent let it.
        records.join(STOP_LIMIT);
      }
    } catch (InterruptedException _) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
    remove(directory);
  }

  private static void remove(Path directory) {
    try (var paths = Files.walk(directory)) {
      for (var path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    } catch (IOException | UncheckedIOException _) {
      // What a background command still writes there goes with the system's own cleaning of
      // temporary directories.
    }
  }
}
