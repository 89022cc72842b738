package dev.sandpiper.agent.tree;

import static java.util.Objects.requireNonNull;
import static org.awaitility.Awaitility.await;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/// Starts commands the way the agent does: leader of an own session, marked, first to go when memory runs out.
final class TreeFixture {
  private final Path dir;
  private final List<Process> started = new ArrayList<>();
  private final List<Integer> toKill = new ArrayList<>();
  private File output = new File("/dev/null");

  TreeFixture(Path dir) {
    this.dir = dir;
  }

  /// Of the commands that follow.
  void output(Path path) {
    output = path.toFile();
  }

  /// Runs a shell script; `$1` is a directory for notes.
  TreeRoot start(String script) throws IOException {
    return start(UUID.randomUUID().toString(), script);
  }

  TreeRoot start(String processId, String script) throws IOException {
    // Waits for its leave, so that what it starts inherits the score too.
    Path go = dir.resolve(processId + ".go");
    String whole = "until [ -e '" + go + "' ]; do sleep 0.01; done\n" + script;
    ProcessBuilder builder = new ProcessBuilder("setsid", "sh", "-c", whole, "sh", dir.toString());
    builder.environment().put(TreeRoot.VARIABLE, processId);
    builder.redirectOutput(output).redirectError(ProcessBuilder.Redirect.DISCARD);
    Process process = builder.start();
    started.add(process);
    int pid = (int) process.pid();
    ProcFiles files = new ProcFiles();
    await().until(() -> requireNonNull(files.entry(pid)).session() == pid);
    Files.writeString(Path.of("/proc/" + pid + "/oom_score_adj"), "100");
    Files.createFile(go);
    return new TreeRoot(
        processId,
        pid,
        requireNonNull(files.entry(pid)).startTicks(),
        output.getPath().startsWith("/dev") ? List.of() : List.of(output.getPath()));
  }

  /// Whether it is one that this fixture has started itself.
  boolean started(int pid) {
    return started.stream().anyMatch(process -> process.pid() == pid);
  }

  /// A pid that the script has written to a note.
  int pid(String note) {
    Path file = dir.resolve(note);
    await().until(() -> Files.exists(file) && Files.readString(file).endsWith("\n"));
    try {
      int pid = Integer.parseInt(Files.readString(file).strip());
      toKill.add(pid);
      return pid;
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  static boolean runs(int pid) {
    ProcEntry entry = new ProcFiles().entry(pid);
    return entry != null && entry.alive();
  }

  /// The fork loops of these tests look for this file.
  void stopLoops() throws IOException {
    Path stop = dir.resolve("stop");
    if (!Files.exists(stop)) {
      Files.createFile(stop);
    }
  }

  void close() throws Exception {
    stopLoops();
    for (int pid : toKill) {
      ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
    }
    for (Process process : started) {
      process.destroyForcibly().waitFor();
    }
  }
}
