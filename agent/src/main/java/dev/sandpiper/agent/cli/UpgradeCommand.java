package dev.sandpiper.agent.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import picocli.CommandLine.Model.CommandSpec;

/// `upgrade`: has a running agent replaced by the image that is on the disk now, and waits until that one serves.
///
/// The agent is found by the lock file of its state directory, which says its pid, its version, when it started (milliseconds
/// since 1970), where it listens, and why it was not replaced, a line each.
record UpgradeCommand(Path stateDirectory, Duration limit) implements ClientCommand {
  static final Duration USUAL_LIMIT = Duration.ofSeconds(30);
  private static final long PAUSE_NANOS = 20_000_000;

  /// For how long there must be no agent before it is said to have ended. A process whose program is replaced by one of its
  /// threads is a zombie until that thread has taken its place, which takes a while on a busy machine.
  private static final long GONE_NANOS = 1_000_000_000;

  private static final String MAIN = "dev.sandpiper.agent.Main";

  /// What the lock file says.
  private record Told(
      long pid, String version, String startedAt, String addresses, String failure) {}

  static CommandSpec spec() {
    var spec =
        Syntax.command(
            "upgrade", "Have the running agent replaced by the version on the disk, in place.");
    spec.usageMessage()
        .customSynopsis("sandpiper upgrade [OPTIONS]")
        .footer(
            "",
            "Commands go on running, and no connection is refused; open ones end, and clients connect anew.",
            "",
            "Exit code: 0; 1 when the agent was not replaced and goes on; 125 when there is none.");
    spec.addOption(
        Options.text(
            "--state-dir", "PATH", "The state directory of the agent (SANDPIPER_STATE_DIR)."));
    spec.addOption(
        Options.text("--timeout", "TIME", "How long to wait for the new one (default: 30s)."));
    return spec;
  }

  @Override
  public int run(Screen screen) throws IOException {
    var before = told();
    var started = System.nanoTime();
    signal(before.pid);
    var seen = System.nanoTime();
    while (System.nanoTime() - started < limit.toNanos()) {
      LockSupport.parkNanos(PAUSE_NANOS);
      if (isAgent(before.pid)) {
        seen = System.nanoTime();
      } else if (System.nanoTime() - seen > GONE_NANOS) {
        throw new IOException("the agent (pid " + before.pid + ") has ended");
      }
      var now = read();
      if (now.isEmpty() || now.get().startedAt.isEmpty()) {
        continue; // it is starting
      }
      var told = now.get();
      if (!told.failure.isEmpty() && !told.failure.equals(before.failure)) {
        var reason = told.failure.substring(told.failure.indexOf(' ') + 1); // behind its time
        screen.complain("not replaced, the agent goes on: " + reason);
        return ExitCode.FAILED;
      }
      if (!told.startedAt.equals(before.startedAt)) {
        screen.line(
            "sandpiper %s (pid %d) took the place of %s in %d ms and listens at %s"
                .formatted(
                    told.version,
                    told.pid,
                    before.version,
                    Duration.ofNanos(System.nanoTime() - started).toMillis(),
                    told.addresses));
        return ExitCode.OK;
      }
    }
    screen.complain("--timeout: nothing was heard of a new agent for " + limit.toSeconds() + " s");
    return ExitCode.FAILED;
  }

  private Told told() throws IOException {
    return read()
        .filter(told -> isAgent(told.pid))
        .orElseThrow(() -> new IOException("--state-dir: no agent runs on " + stateDirectory));
  }

  /// Empty where nothing is said, also because it is being written.
  private Optional<Told> read() throws IOException {
    List<String> lines;
    try {
      lines = Files.readAllLines(stateDirectory.resolve("lock"));
    } catch (NoSuchFileException missing) {
      return Optional.empty();
    }
    try {
      var pid = Long.parseLong(lines.isEmpty() ? "" : lines.getFirst());
      return Optional.of(
          new Told(pid, line(lines, 1), line(lines, 2), line(lines, 3), line(lines, 4)));
    } catch (NumberFormatException _) {
      return Optional.empty();
    }
  }

  private static String line(List<String> lines, int number) {
    return number < lines.size() ? lines.get(number) : "";
  }

  /// A pid that is not the agent's any more must not get the signal, which would end most programs. In the middle of a
  /// replacement it is a shell for some milliseconds, which runs the same script.
  private static boolean isAgent(long pid) {
    try {
      var bytes = Files.readAllBytes(Path.of("/proc/" + pid + "/cmdline"));
      var command = new String(bytes, StandardCharsets.UTF_8);
      // Empty while one program gives way to the next, and for ever once it has ended.
      return command.isEmpty()
          ? hasThreads(Files.readString(Path.of("/proc/" + pid + "/stat")))
          : command.contains(MAIN) || command.contains("/bin/sandpiper");
    } catch (IOException gone) {
      return false;
    }
  }

  /// A program that gives way from another thread than its first looks like one that has ended until that thread has taken
  /// the first one's place (execve(2)), but has more threads than one.
  private static boolean hasThreads(String stat) {
    var fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1); // from the third on
    return !fields[0].equals("Z") || Integer.parseInt(fields[17]) > 1;
  }

  private static void signal(long pid) throws IOException {
    var shell =
        new ProcessBuilder("/bin/sh", "-c", "kill -USR2 \"$0\"", Long.toString(pid))
            .redirectErrorStream(true)
            .start();
    var said = new String(shell.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    try {
      if (shell.waitFor() != 0) {
        throw new IOException("the agent (pid " + pid + ") cannot be signalled: " + said);
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", interrupted);
    }
  }
}
