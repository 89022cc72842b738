package dev.sandpiper.agent.process;

import dev.sandpiper.agent.accounts.Accounts;
import dev.sandpiper.agent.accounts.SandboxDefaults;
import dev.sandpiper.agent.accounts.Users;
import dev.sandpiper.agent.journal.Journal;
import dev.sandpiper.agent.journal.JournalEntry;
import dev.sandpiper.agent.journal.StateDirectory;
import dev.sandpiper.agent.launch.Inherited;
import dev.sandpiper.agent.launch.Launcher;
import dev.sandpiper.agent.launch.PosixLauncher;
import dev.sandpiper.agent.launch.PtySize;
import dev.sandpiper.agent.launch.Stdio;
import dev.sandpiper.agent.output.Cursor;
import dev.sandpiper.agent.output.Cursor.Step;
import dev.sandpiper.agent.output.OutputSettings;
import dev.sandpiper.agent.output.OutputStore;
import dev.sandpiper.agent.output.Position;
import dev.sandpiper.agent.output.Promise;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.output.epoll.EpollPipeLoop;
import dev.sandpiper.agent.tree.TreeSettings;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/// A process manager over real pipes, files and processes.
final class ProcessFixture {
  static final Duration PATIENCE = Duration.ofSeconds(60);

  private static final AtomicLong RUNS = new AtomicLong();

  final ProcessManager processes;
  private final StateDirectory state;
  private final Journal journal;
  private final EpollPipeLoop loop;
  private final OutputStore store;
  private final Launcher launcher;

  ProcessFixture(Path directory, ProcessSettings settings, ProcessListener... listeners)
      throws IOException {
    this(directory, settings, OutputSettings.DEFAULT, listeners);
  }

  ProcessFixture(
      Path directory, ProcessSettings settings, OutputSettings output, ProcessListener... listeners)
      throws IOException {
    state = StateDirectory.open(directory.resolve("state"));
    journal = state.openJournal(false);
    loop = new EpollPipeLoop();
    store = OutputStore.open(state.output(), output, loop);
    Users users = new Users();
    List<JournalEntry> earlier =
        Intents.settle(journal.entries(), journal, new TreeSettings(false));
    launcher =
        PosixLauncher.open(
            users,
            state.path(),
            "test" + RUNS.incrementAndGet(),
            ProcessManager.earlier(earlier),
            Inherited.NOTHING);
    processes =
        new ProcessManager(
            settings,
            new ProcessManager.Parts(
                new Accounts(users, new SandboxDefaults(Optional.empty())),
                launcher,
                store,
                loop,
                journal,
                new ProcessIds(InstantSource.system()),
                InstantSource.system(),
                new TreeSettings(false)),
            Map.of("PATH", "/usr/bin:/bin"),
            Map.of(),
            List.of(listeners));
    processes.recover(earlier);
  }

  static ProcessSettings settings() {
    return new ProcessSettings(
        Duration.ofSeconds(2),
        Duration.ofSeconds(30),
        100,
        1 << 20,
        Duration.ofSeconds(10),
        Duration.ofSeconds(1),
        OnStop.STOP);
  }

  /// With commands left running by a clean stop.
  static ProcessSettings leaving() {
    return new ProcessSettings(
        Duration.ofSeconds(2),
        Duration.ofSeconds(30),
        100,
        1 << 20,
        Duration.ofSeconds(10),
        Duration.ofSeconds(1),
        OnStop.LEAVE);
  }

  Journal journal() {
    return journal;
  }

  ManagedProcess shell(String script) throws Exception {
    return start(spec(script, new Stdio.Pipes(true)));
  }

  ManagedProcess terminal(String script) throws Exception {
    return start(spec(script, new Stdio.Terminal(new PtySize(80, 24))));
  }

  static StartSpec spec(String script, Stdio stdio) {
    return spec(script, stdio, Optional.empty(), Optional.empty());
  }

  static StartSpec spec(
      String script, Stdio stdio, Optional<String> tag, Optional<Duration> timeLimit) {
    return new StartSpec(
        "sh",
        List.of("-c", script),
        Map.of(),
        Optional.of("/"),
        Optional.empty(),
        tag,
        stdio,
        timeLimit);
  }

  ManagedProcess start(StartSpec spec) throws Exception {
    CompletableFuture<ManagedProcess> started = new CompletableFuture<>();
    processes.start(
        spec,
        true,
        new StartCallback() {
          @Override
          public void onStarted(ManagedProcess process) {
            started.complete(process);
          }

          @Override
          public void onRefused(StartRefused refused) {
            started.completeExceptionally(refused);
          }
        });
    return started.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
  }

  /// Everything printed from here on up to the mark of the end, by stream.
  static Map<StreamName, String> readToEnd(ManagedProcess process) throws Exception {
    Map<StreamName, ByteArrayOutputStream> read = new EnumMap<>(StreamName.class);
    Semaphore wake = new Semaphore(0);
    try (Cursor cursor = process.log().cursor(Position.BEGINNING, Promise.EVERYTHING)) {
      cursor.onWake(wake::release);
      ByteBuffer buffer = ByteBuffer.allocateDirect(32 * 1024);
      while (true) {
        switch (cursor.peek(buffer.capacity())) {
          case Step.Data(var stream, long _, int length, long _, long _) -> {
            cursor.read(buffer.clear().limit(length));
            byte[] bytes = new byte[buffer.flip().remaining()];
            buffer.get(bytes);
            read.computeIfAbsent(stream, _ -> new ByteArrayOutputStream()).write(bytes);
            cursor.advance(length);
          }
          case Step.Idle _, Step.Drained _ -> {
            if (!wake.tryAcquire(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
              throw new AssertionError("no end of " + process + " after " + PATIENCE);
            }
          }
          case Step.Mark _ -> {
            Map<StreamName, String> text = new EnumMap<>(StreamName.class);
            read.forEach(
                (stream, bytes) -> text.put(stream, bytes.toString(StandardCharsets.UTF_8)));
            return text;
          }
          case Step.Gap gap -> throw new AssertionError(gap);
          case Step.Stalled stalled -> throw new AssertionError(stalled);
        }
      }
    }
  }

  static ProcessEnd endOf(ManagedProcess process) throws Exception {
    readToEnd(process);
    ProcessEnd end = process.end();
    if (end == null) {
      throw new AssertionError("the log is marked, but the process has no end");
    }
    return end;
  }

  void stop() throws Exception {
    processes.stop();
    launcher.close();
    store.close();
    loop.close();
    journal.close();
    state.close();
  }
}
