package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.output.Cursor;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.OutputSettings;
import dev.sandpiper.agent.output.OutputSource;
import dev.sandpiper.agent.output.OutputStore;
import dev.sandpiper.agent.output.Position;
import dev.sandpiper.agent.output.Promise;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.output.epoll.EpollPipeLoop;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Real output logs filled through real pipes, an engine over them, and processes that consist of nothing else.
final class Sandbox implements AutoCloseable, LoggedProcesses {
  static final Set<StreamName> BOTH = EnumSet.of(StreamName.STDOUT, StreamName.STDERR);

  final EpollPipeLoop loop = new EpollPipeLoop();
  final OutputStore store;
  final AgentLog agentLog = new AgentLog(_ -> {});
  final SandboxLogs logs;
  private final List<LoggedProcess> processes = new CopyOnWriteArrayList<>();
  private final List<Consumer<LoggedProcess>> watchers = new CopyOnWriteArrayList<>();

  Sandbox(Path directory, long retention, int cut) {
    this(directory, retention, cut, false);
  }

  Sandbox(Path directory, long retention, int cut, boolean make) {
    if (make && !directory.toFile().mkdirs()) {
      throw new IllegalStateException(directory + " cannot be made");
    }
    store =
        OutputStore.open(
            directory,
            new OutputSettings(retention, retention * 8, 10_000, true, Duration.ofSeconds(5)),
            loop);
    logs = new SandboxLogs(this, agentLog, InstantSource.system(), store::settledMicros, cut);
  }

  Printing start(String id, int pid, @Nullable String tag) {
    Printing process = new Printing(id, pid, tag, store.create(id, BOTH), logs.now());
    processes.add(process);
    watchers.forEach(watcher -> watcher.accept(process));
    return process;
  }

  void forget(LoggedProcess process) {
    processes.remove(process);
  }

  @Override
  public List<LoggedProcess> all() {
    return List.copyOf(processes);
  }

  @Override
  public @Nullable LoggedProcess get(String processId) {
    return processes.stream()
        .filter(process -> process.processId().equals(processId))
        .findFirst()
        .orElse(null);
  }

  @Override
  public Runnable watch(Consumer<LoggedProcess> started) {
    watchers.add(started);
    return () -> watchers.remove(started);
  }

  int watchers() {
    return watchers.size();
  }

  /// Everything that a query brings, with its end.
  Found all(LogQuery query) throws LogFailure, InterruptedException {
    try (Asking asking = ask(query)) {
      List<LogItem> items = new ArrayList<>();
      while (true) {
        switch (asking.next()) {
          case Answer.Batch(List<LogItem> batch) -> items.addAll(batch);
          case Answer.Ended(LogReading.End end) -> {
            return new Found(items, end);
          }
          case Answer.Failed(LogFailure failure) -> throw failure;
        }
      }
    }
  }

  record Found(List<LogItem> items, LogReading.End end) {
    List<LogEntry> entries() {
      return items.stream().filter(LogEntry.class::isInstance).map(LogEntry.class::cast).toList();
    }

    List<String> messages() {
      return entries().stream().map(LogEntry::message).toList();
    }
  }

  Asking ask(LogQuery query) throws LogFailure {
    return new Asking(logs.open(query));
  }

  /// What comes of one question.
  sealed interface Answer {
    record Batch(List<LogItem> items) implements Answer {}

    record Ended(LogReading.End end) implements Answer {}

    record Failed(LogFailure failure) implements Answer {}
  }

  /// A reading that is waited for.
  static final class Asking implements LogReading.Receiver, AutoCloseable {
    final LogReading reading;
    private final BlockingQueue<Answer> answers = new LinkedBlockingQueue<>();
    private boolean asked;

    Asking(LogReading reading) {
      this.reading = reading;
    }

    Answer next() throws InterruptedException {
      Answer answer = poll(20_000);
      if (answer == null) {
        throw new AssertionError("nothing came");
      }
      return answer;
    }

    @Nullable Answer poll(long millis) throws InterruptedException {
      if (!asked) {
        asked = true;
        reading.next(this);
      }
      Answer answer = answers.poll(millis, TimeUnit.MILLISECONDS);
      asked = answer == null;
      return answer;
    }

    @Override
    public void batch(List<LogItem> items) {
      answers.add(new Answer.Batch(items));
    }

    @Override
    public void end(LogReading.End end) {
      answers.add(new Answer.Ended(end));
    }

    @Override
    public void failed(LogFailure failure) {
      answers.add(new Answer.Failed(failure));
    }

    @Override
    public void close() {
      reading.close();
    }
  }

  @Override
  public void close() {
    logs.close();
    processes.forEach(process -> ((Printing) process).closePipes());
    store.close();
    loop.close();
    agentLog.close();
  }

  /// A process that prints what a test says.
  final class Printing implements LoggedProcess {
    private final String id;
    private final int pid;
    private final @Nullable String tag;
    private final OutputLog log;
    private final long startedMicros;
    private final Map<StreamName, Integer> pipes = new EnumMap<>(StreamName.class);
    private volatile @Nullable Ended ended;

    Printing(String id, int pid, @Nullable String tag, OutputLog log, long startedMicros) {
      this.id = id;
      this.pid = pid;
      this.tag = tag;
      this.log = log;
      this.startedMicros = startedMicros;
      for (StreamName stream : BOTH) {
        int[] fds = new int[2];
        check(Posix.pipe2(fds, Fcntl.O_CLOEXEC));
        check(Posix.setNonBlocking(fds[0], true));
        Posix.fcntl(fds[0], Fcntl.F_SETPIPE_SZ, 256 * 1024);
        log.attach(stream, new OutputSource.Pipe(fds[0], () -> {}));
        pipes.put(stream, fds[1]);
      }
    }

    private static int check(int result) {
      if (result < 0) {
        throw new IllegalStateException(Errno.describe(result));
      }
      return result;
    }

    void print(StreamName stream, byte[] bytes) {
      ByteBuffer direct = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
      int fd = Objects.requireNonNull(pipes.get(stream));
      while (direct.hasRemaining()) {
        long count = Posix.write(fd, direct);
        if (count < 0) {
          throw new IllegalStateException(Errno.describe(count));
        }
      }
    }

    void out(String text) {
      print(StreamName.STDOUT, text.getBytes(StandardCharsets.UTF_8));
    }

    void err(String text) {
      print(StreamName.STDERR, text.getBytes(StandardCharsets.UTF_8));
    }

    /// Waits until so many bytes are in the log.
    void awaitBytes(StreamName stream, long bytes) {
      org.awaitility.Awaitility.await()
          .pollInterval(Duration.ofMillis(1))
          .until(() -> log.endOffset(stream) >= bytes);
    }

    /// Ends while the streams stay open.
    void end() throws InterruptedException {
      CountDownLatch done = new CountDownLatch(1);
      loop.execute(() -> {
        log.drainNow();
        ended =
            new Ended(
                logs.now(), log.endOffset(StreamName.STDOUT), log.endOffset(StreamName.STDERR), 0);
        log.markEnd();
        done.countDown();
      });
      done.await();
    }

    void closePipes() {
      for (int fd : pipes.values()) {
        Posix.close(fd);
      }
      pipes.clear();
    }

    /// Ends with everything closed.
    void finish() throws InterruptedException {
      if (ended == null) {
        end();
      }
      CountDownLatch drained = new CountDownLatch(1);
      log.onDrained(drained::countDown);
      closePipes();
      drained.await();
      log.finish();
    }

    /// What was printed, piece by piece, as a cursor of the log tells it.
    List<Piece> pieces() {
      List<Piece> pieces = new ArrayList<>();
      ByteBuffer direct = ByteBuffer.allocateDirect(64 * 1024);
      try (Cursor cursor = log.cursor(Position.BEGINNING, Promise.BEST_EFFORT)) {
        while (true) {
          switch (cursor.peek(direct.capacity())) {
            case Cursor.Step.Data data -> {
              cursor.read(direct.clear().limit(data.length()));
              byte[] bytes = new byte[data.length()];
              direct.flip().get(bytes);
              pieces.add(
                  new Piece(data.stream(), data.offset(), bytes, data.timeMicros(), data.order()));
              cursor.advance(data.length());
            }
            case Cursor.Step.Mark() -> cursor.skipMark();
            case Cursor.Step.Drained(), Cursor.Step.Idle() -> {
              return pieces;
            }
            case Cursor.Step.Gap _ -> cursor.skipGap();
            case Cursor.Step.Stalled _ -> throw new IllegalStateException();
          }
        }
      }
    }

    @Override
    public String processId() {
      return id;
    }

    @Override
    public int pid() {
      return pid;
    }

    @Override
    public @Nullable String tag() {
      return tag;
    }

    @Override
    public long startedMicros() {
      return startedMicros;
    }

    @Override
    public Map<String, String> startFields() {
      return Map.of("command", "test");
    }

    @Override
    public Map<String, String> endFields() {
      return Map.of("exit_code", "0");
    }

    @Override
    public OutputLog log() {
      return log;
    }

    @Override
    public @Nullable Ended ended() {
      return ended;
    }
  }

  /// A run of bytes that was printed at one time.
  @SuppressWarnings("ArrayRecordComponent")
  record Piece(StreamName stream, long offset, byte[] bytes, long micros, long order) {}
}
