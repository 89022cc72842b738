package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.accounts.Users;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Signals;
import dev.sandpiper.agent.posix.Tasks;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;

/// Starts real commands in a directory of the test's own and collects what they print.
final class LaunchFixture implements AutoCloseable {
  static final String PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  private static final AtomicLong IDS = new AtomicLong();

  final Users users;
  final PosixLauncher launcher;
  final Path state;

  LaunchFixture(Path state) {
    this(state, new Users());
  }

  LaunchFixture(Path state, Users users) {
    this.state = state;
    this.users = users;
    launcher = PosixLauncher.open(users, state, "test" + IDS.incrementAndGet(), _ -> false);
  }

  /// What a command left when it was over.
  record Finished(int pid, String out, String err, Exit exit, Child child) {}

  LaunchSpec spec(String cmd, String... args) {
    return new LaunchSpec(
        "p" + IDS.incrementAndGet(),
        cmd,
        List.of(args),
        new LinkedHashMap<>(Map.of("PATH", PATH)),
        "/",
        users.self(),
        new Stdio.Pipes(false));
  }

  LaunchSpec shell(String script) {
    return spec("sh", "-c", script);
  }

  static LaunchSpec with(LaunchSpec spec, Stdio stdio) {
    return new LaunchSpec(
        spec.processId(),
        spec.cmd(),
        spec.args(),
        spec.environment(),
        spec.cwd(),
        spec.user(),
        stdio);
  }

  static LaunchSpec in(LaunchSpec spec, String cwd) {
    return new LaunchSpec(
        spec.processId(),
        spec.cmd(),
        spec.args(),
        spec.environment(),
        cwd,
        spec.user(),
        spec.stdio());
  }

  static LaunchSpec as(LaunchSpec spec, User user) {
    return new LaunchSpec(
        spec.processId(),
        spec.cmd(),
        spec.args(),
        spec.environment(),
        spec.cwd(),
        user,
        spec.stdio());
  }

  static LaunchSpec env(LaunchSpec spec, Map<String, String> environment) {
    return new LaunchSpec(
        spec.processId(),
        spec.cmd(),
        spec.args(),
        environment,
        spec.cwd(),
        spec.user(),
        spec.stdio());
  }

  /// On this thread where that is possible, else through the spawner.
  Child start(LaunchSpec spec) throws LaunchException {
    return launcher.canLaunchHere(spec) ? launcher.launchHere(spec) : startOnSpawner(spec);
  }

  Child startOnSpawner(LaunchSpec spec) throws LaunchException {
    CompletableFuture<Child> child = new CompletableFuture<>();
    launcher.launch(
        spec,
        new Launcher.LaunchCallback() {
          @Override
          public void onLaunched(Child launched) {
            child.complete(launched);
          }

          @Override
          public void onFailed(LaunchException failure) {
            child.completeExceptionally(failure);
          }
        });
    try {
      return child.join();
    } catch (java.util.concurrent.CompletionException failed) {
      if (failed.getCause() instanceof LaunchException failure) {
        throw failure;
      }
      throw failed;
    }
  }

  Finished run(LaunchSpec spec) throws LaunchException {
    return finish(start(spec));
  }

  /// Reads both streams to their end, then collects the exit and lets everything go.
  static Finished finish(Child child) {
    switch (child.output()) {
      case ChildOutput.Pipes(int stdout, int stderr) -> {
        CompletableFuture<String> err = CompletableFuture.supplyAsync(() -> readAll(stderr));
        String out = readAll(stdout);
        String error = err.join();
        return new Finished(child.pid(), out, error, end(child), child);
      }
      case ChildOutput.Terminal(int master, int read, int write) -> {
        String out = readAll(master);
        Posix.close(read);
        Posix.close(write);
        return new Finished(child.pid(), out, "", end(child), child);
      }
    }
  }

  static Exit end(Child child) {
    awaitExit(child);
    Exit exit = child.reap();
    child.close();
    return exit;
  }

  static void awaitExit(Child child) {
    Tasks.waitid(Tasks.P_PID, child.pid(), Tasks.WEXITED | Tasks.WNOWAIT);
  }

  static void kill(Child child) {
    child.signal(Signals.SIGKILL, Scope.GROUP);
    end(child);
  }

  /// Until end of file, or `EIO` from a terminal nobody holds any more; closes the descriptor.
  static String readAll(int fd) {
    Posix.setNonBlocking(fd, false);
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    ByteBuffer buffer = ByteBuffer.allocateDirect(64 * 1024);
    while (true) {
      long count = Posix.read(fd, buffer.clear());
      if (count <= 0) {
        Posix.close(fd);
        if (count < 0 && count != -Errno.EIO) {
          throw new AssertionError("read: " + Errno.describe(count));
        }
        return all.toString(StandardCharsets.UTF_8);
      }
      byte[] bytes = new byte[(int) count];
      buffer.flip().get(bytes);
      all.writeBytes(bytes);
    }
  }

  static ByteBuffer direct(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
  }

  @Override
  public void close() {
    launcher.close();
  }
}
