package dev.sandpiper.agent.logs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.logs.Sandbox.Answer;
import dev.sandpiper.agent.logs.Sandbox.Asking;
import dev.sandpiper.agent.output.StreamName;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Followers: history, then what comes, each entry once.
final class FollowTest {
  private static final LogQuery OUTPUT =
      LogQuery.ALL.with().eventType(LogEntry.OUTPUT).follow(true).build();

  @TempDir Path directory;

  @Test
  void noLineIsMissingOrTwiceAtTheSeam() throws Exception {
    try (Sandbox sandbox = new Sandbox(directory, 1 << 26, 16 * 1024)) {
      List<Sandbox.Printing> processes = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        processes.add(sandbox.start("p%018d".formatted(i), 10 + i, null));
      }
      int lines = 30_000;
      List<Thread> printers = new ArrayList<>();
      for (Sandbox.Printing process : processes) {
        printers.add(
            Thread.ofPlatform()
                .start(() -> {
                  StringBuilder text = new StringBuilder();
                  for (int line = 0; line < lines; line++) {
                    text.append(line).append('\n');
                    if (line % 37 == 0) {
                      process.out(text.toString());
                      text.setLength(0);
                    }
                  }
                  process.out(text.toString());
                }));
      }
      processes.getFirst().awaitBytes(StreamName.STDOUT, 20_000);
      Map<String, Integer> next = new HashMap<>();
      LogPosition last = null;
      int answers = 0;
      Asking asking = sandbox.ask(OUTPUT);
      while (next.values().stream().mapToInt(Integer::intValue).sum() < 3 * lines) {
        if (++answers % 20 == 0) {
          // Cut off; the next one goes on behind what was seen last.
          asking.close();
          asking = sandbox.ask(OUTPUT.with().cursor(last).build());
        }
        for (LogItem item : batch(asking.next())) {
          LogEntry entry = (LogEntry) item;
          int expected = next.getOrDefault(entry.processId(), 0);
          assertThat(entry.message()).isEqualTo(Integer.toString(expected));
          next.put(entry.processId(), expected + 1);
          assertThat(last == null || last.compareTo(entry.position()) < 0).isTrue();
          last = entry.position();
        }
      }
      asking.close();
      for (Thread printer : printers) {
        printer.join();
      }
    }
  }

  @Test
  void newProcessesAndTheirEndsComeToo() throws Exception {
    try (Sandbox sandbox = new Sandbox(directory, 1 << 26, 16 * 1024)) {
      try (Asking asking = sandbox.ask(LogQuery.ALL.with().follow(true).build())) {
        assertThat(asking.poll(100)).isNull();
        Sandbox.Printing process = sandbox.start("p1", 7, null);
        process.out("one\nunfinished");
        assertThat(messages(asking, 2)).containsExactly("Process with pid 7 started", "one");
        assertThat(asking.poll(50)).isNull();
        process.end();
        assertThat(messages(asking, 2)).containsExactly("unfinished", "Process with pid 7 ended");
        process.out("\nfrom a child\n");
        assertThat(messages(asking, 1)).containsExactly("from a child");
        process.finish();
        assertThat(asking.poll(50)).isNull();
        assertThat(sandbox.watchers()).isEqualTo(1);
      }
      await().until(() -> sandbox.logs.openReadings() == 0 && sandbox.watchers() == 0);
    }
  }

  /// The agent has spoken before, and what it said is between what processes printed.
  @Test
  void theAgentsOwnLinesComeOnceEach() throws Exception {
    try (Sandbox sandbox = new Sandbox(directory.resolve("s"), 1 << 26, 16 * 1024, true)) {
      sandbox.agentLog.open(directory.resolve("own"));
      sandbox.agentLog.line(1_000, "INFO", "agent", "early", null);
      sandbox.agentLog.line(2_000, "INFO", "agent", "still early", null);
      try (Asking asking = sandbox.ask(LogQuery.ALL.with().follow(true).build())) {
        assertThat(messages(asking, 2)).containsExactly("early", "still early");
        Sandbox.Printing process = sandbox.start("p1", 7, null);
        process.out("one\n");
        assertThat(messages(asking, 2)).containsExactly("Process with pid 7 started", "one");
        sandbox.agentLog.line(sandbox.logs.now(), "WARN", "agent", "late", null);
        assertThat(messages(asking, 1)).containsExactly("late");
        process.finish();
        assertThat(messages(asking, 1)).containsExactly("Process with pid 7 ended");
        assertThat(asking.poll(50)).isNull();
      }
    }
  }

  @Test
  void aFollowerOfAFinishedProcessGetsItsHistoryAndAnEnd() throws Exception {
    try (Sandbox sandbox = new Sandbox(directory, 1 << 26, 16 * 1024)) {
      Sandbox.Printing process = sandbox.start("p1", 7, null);
      process.out("one\ntwo");
      process.finish();
      Sandbox.Found found = sandbox.all(LogQuery.ALL.with().id("p1").follow(true).build());
      assertThat(found.messages())
          .containsExactly("Process with pid 7 started", "one", "two", "Process with pid 7 ended");
      assertThat(found.end().more()).isFalse();
    }
  }

  @Test
  void aFollowerOfALiveProcessGetsItsEndLast() throws Exception {
    for (int i = 0; i < 50; i++) {
      try (Sandbox sandbox = new Sandbox(directory.resolve("" + i), 1 << 26, 16 * 1024, true)) {
        Sandbox.Printing process = sandbox.start("p1", 7, null);
        try (Asking asking = sandbox.ask(LogQuery.ALL.with().pid(7).tail(1).follow(true).build())) {
          assertThat(messages(asking, 1)).containsExactly("Process with pid 7 started");
          process.out("at once");
          process.finish();
          assertThat(messages(asking, 2)).containsExactly("at once", "Process with pid 7 ended");
          assertThat(asking.next()).isInstanceOf(Answer.Ended.class);
        }
      }
    }
  }

  @Test
  void whoLeavesLeavesNothingBehind() throws Exception {
    try (Sandbox sandbox = new Sandbox(directory, 1 << 26, 16 * 1024)) {
      Sandbox.Printing process = sandbox.start("p1", 7, null);
      process.out("x\n".repeat(100_000));
      process.awaitBytes(StreamName.STDOUT, 200_000);
      long files = openFiles();
      List<Asking> askings = new ArrayList<>();
      for (int i = 0; i < SandboxLogs.MOST_READINGS; i++) {
        Asking asking = sandbox.ask(OUTPUT);
        askings.add(asking);
        if (i % 2 == 0) {
          asking.next();
        } else {
          asking.poll(0);
        }
      }
      assertThat(failure(sandbox).reason()).isEqualTo(LogFailure.Reason.EXHAUSTED);
      askings.forEach(Asking::close);
      await().until(() -> sandbox.logs.openReadings() == 0 && sandbox.watchers() == 0);
      await().until(() -> openFiles() <= files);
      sandbox.ask(OUTPUT).close();
    }
  }

  private static LogFailure failure(Sandbox sandbox) {
    try {
      sandbox.ask(OUTPUT).close();
    } catch (LogFailure failure) {
      return failure;
    }
    throw new AssertionError("was taken");
  }

  private long openFiles() throws IOException {
    long open = 0;
    try (DirectoryStream<Path> links = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path link : links) {
        try {
          open += Files.readSymbolicLink(link).startsWith(directory) ? 1 : 0;
        } catch (NoSuchFileException _) {
          // Closed meanwhile, by whomever.
        }
      }
    }
    return open;
  }

  private static List<String> messages(Asking asking, int count) throws InterruptedException {
    List<String> messages = new ArrayList<>();
    while (messages.size() < count) {
      batch(asking.next()).forEach(item -> messages.add(((LogEntry) item).message()));
    }
    return messages;
  }

  private static List<LogItem> batch(@Nullable Answer answer) {
    if (answer instanceof Answer.Batch(List<LogItem> items)) {
      return items;
    }
    throw new AssertionError("no batch: " + answer);
  }
}
