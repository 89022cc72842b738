package dev.sandpiper.agent.logs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.sandpiper.agent.logs.LogFailure.Reason;
import dev.sandpiper.agent.output.StreamName;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What is refused, and what is told instead of silence.
final class RefusalsTest {
  @TempDir Path directory;

  @Test
  void aCursorThatIsNoneIsRefused() throws Exception {
    try (Sandbox sandbox = new Sandbox(directory, 1 << 26, 16 * 1024)) {
      Sandbox.Printing process = sandbox.start("p1", 7, null);
      process.out("one\n");
      process.finish();
      sandbox.start("p2", 8, null);
      LogPosition good = sandbox.all(LogQuery.ALL).entries().get(1).position();
      String token = good.token();
      assertThat(LogPosition.parse(token)).isEqualTo(good);
      for (String broken :
          List.of("", "x", token.substring(1), token.substring(0, 20), token + "A", "ä", "=")) {
        assertThat(parsing(broken).reason()).isEqualTo(Reason.BAD_CURSOR);
      }
      LogPosition future =
          new LogPosition(
              good.timeMicros() + 3_600_000_000L, "p2", LogPosition.Rank.END, 0, null, 0);
      assertThat(asking(sandbox, LogQuery.ALL.with().cursor(future).build()).text())
          .contains("future");
      LogPosition beyond =
          new LogPosition(
              good.timeMicros(), "p1", LogPosition.Rank.OUTPUT, 0, StreamName.STDOUT, 5);
      assertThat(asking(sandbox, LogQuery.ALL.with().cursor(beyond).build()).text())
          .contains("has not printed byte 5 of stdout");
      assertThat(asking(sandbox, LogQuery.ALL.with().id("p2").cursor(good).build()).text())
          .contains("of process p1, not of p2");
      assertThat(asking(sandbox, LogQuery.ALL.with().id("p3").build()).reason())
          .isEqualTo(Reason.UNKNOWN_PROCESS);
    }
  }

  @Test
  void aCursorOfAForgottenProcessIsAGapAndTheRest() throws Exception {
    try (Sandbox sandbox = new Sandbox(directory, 1 << 26, 16 * 1024)) {
      Sandbox.Printing process = sandbox.start("p1", 7, null);
      process.out("one\n");
      process.finish();
      LogPosition cursor = sandbox.all(LogQuery.ALL).entries().get(1).position();
      sandbox.forget(process);
      process.log().delete();
      sandbox.start("p2", 8, null);
      List<LogItem> items = sandbox.all(LogQuery.ALL.with().cursor(cursor).build()).items();
      assertThat(((LogGap) items.getFirst()).reason()).isEqualTo(LogGap.Reason.FORGOTTEN);
      assertThat(((LogEntry) items.get(1)).processId()).isEqualTo("p2");
    }
  }

  @Test
  void whatMakesNoSenseIsRefusedByName() throws Exception {
    try (Sandbox sandbox = new Sandbox(directory, 1 << 26, 16 * 1024)) {
      assertThat(asking(sandbox, LogQuery.ALL.with().tail(0).build()).text()).startsWith("tail: ");
      assertThat(asking(sandbox, LogQuery.ALL.with().limit(-1).build()).text())
          .startsWith("limit: ");
      assertThat(asking(sandbox, LogQuery.ALL.with().follow(true).backward(true).build()).text())
          .startsWith("follow: ");
      assertThat(asking(sandbox, LogQuery.ALL.with().eventType("x").build()).text())
          .startsWith("event_type: ");
      assertThat(asking(sandbox, LogQuery.ALL.with().regex("(").build()).text())
          .startsWith("regex: ");
      assertThat(asking(sandbox, LogQuery.ALL.with().regex("x".repeat(1025)).build()).text())
          .startsWith("regex: ");
    }
  }

  @Test
  void anExpressionThatBacktracksForEverEndsTheQuery() throws Exception {
    try (Sandbox sandbox = new Sandbox(directory, 1 << 26, 16 * 1024)) {
      Sandbox.Printing process = sandbox.start("p1", 7, null);
      process.out("a".repeat(40) + "\n" + "ab".repeat(15_000) + "\n");
      process.finish();
      assertThat(reading(sandbox, "^(a+)+\\1b$").reason()).isEqualTo(Reason.EXHAUSTED);
      assertThat(reading(sandbox, "^(a|b)*c$").reason()).isEqualTo(Reason.EXHAUSTED);
      assertThat(sandbox.all(LogQuery.ALL.with().regex("^a+$").build()).entries()).hasSize(1);
    }
  }

  @Test
  void gapsOfRetentionHaveExactBounds() throws Exception {
    try (Sandbox sandbox = new Sandbox(directory, 1 << 20, 16 * 1024)) {
      Sandbox.Printing process = sandbox.start("p1", 7, null);
      process.err("kept\n");
      process.awaitBytes(StreamName.STDERR, 5);
      String line = "x".repeat(99) + "\n";
      for (int i = 0; i < 40; i++) {
        process.out(line.repeat(1000));
      }
      process.finish();
      long start = process.log().startOffset(StreamName.STDOUT);
      assertThat(start).isPositive();
      for (boolean backward : new boolean[] {false, true}) {
        long bytes = 0;
        long missing = 0;
        LogQuery query = LogQuery.ALL.with().stream(StreamName.STDOUT).backward(backward).build();
        for (LogItem item : sandbox.all(query).items()) {
          switch (item) {
            case LogEntry entry -> bytes += entry.message().length() + (entry.continues() ? 0 : 1);
            case LogGap gap -> {
              assertThat(gap.start()).isZero();
              assertThat(gap.end()).isEqualTo(start);
              missing += gap.end() - gap.start();
            }
          }
        }
        assertThat(bytes + missing).isEqualTo(40L * 1000 * 100);
      }
      // A cursor at what has gone.
      LogPosition cursor =
          new LogPosition(
              process.startedMicros(), "p1", LogPosition.Rank.OUTPUT, 0, StreamName.STDOUT, 100);
      List<LogItem> items = sandbox.all(LogQuery.ALL.with().cursor(cursor).build()).items();
      LogGap gap =
          items.stream()
              .filter(LogGap.class::isInstance)
              .map(LogGap.class::cast)
              .findFirst()
              .orElseThrow();
      assertThat(gap.start()).isEqualTo(100);
      assertThat(gap.end()).isEqualTo(start);
    }
  }

  @Test
  void aReusedPidIsTheProcessThatTimeOrIdNames() throws Exception {
    try (Sandbox sandbox = new Sandbox(directory, 1 << 26, 16 * 1024)) {
      Sandbox.Printing old = sandbox.start("p1", 7, "a");
      old.out("old\n");
      old.finish();
      long between = sandbox.logs.now();
      org.awaitility.Awaitility.await().until(() -> sandbox.logs.now() > between);
      Sandbox.Printing young = sandbox.start("p2", 7, "b");
      young.out("new\n");
      young.finish();
      LogQuery lines = LogQuery.ALL.with().eventType(LogEntry.OUTPUT).build();
      assertThat(sandbox.all(lines.with().pid(7).build()).messages()).containsExactly("new");
      assertThat(sandbox.all(lines.with().pid(7).endMicros(between).build()).messages())
          .containsExactly("old");
      assertThat(sandbox.all(lines.with().pid(7).startMicros(between + 1).build()).messages())
          .containsExactly("new");
      assertThat(sandbox.all(lines.with().pid(7).id("p1").build()).messages())
          .containsExactly("old");
      assertThat(sandbox.all(lines.with().pid(7).tag("a").build()).messages())
          .containsExactly("old");
      assertThat(sandbox.all(lines.with().pid(8).build()).messages()).isEmpty();
    }
  }

  @Test
  void theAgentsOwnLinesAreThereInBothDirectionsAndSurvive() throws Exception {
    Path own = directory.resolve("own");
    try (Sandbox sandbox = new Sandbox(directory.resolve("a"), 1 << 26, 16 * 1024, true)) {
      sandbox.agentLog.line(1_000, "INFO", "agent", "early", null);
      sandbox.agentLog.open(own);
      sandbox.agentLog.line(2_000, "WARN", "agent", "tab\tand\nnewline\\", "stack\n trace");
      assertThat(sandbox.all(LogQuery.ALL).messages())
          .containsExactly("early", "tab\tand\nnewline\\");
      assertThat(sandbox.all(LogQuery.ALL.with().level(LogLevel.WARN).build()).entries().getFirst())
          .satisfies(
              entry -> assertThat(entry.fields()).containsEntry("stack_trace", "stack\n trace"));
    }
    try (Sandbox sandbox = new Sandbox(directory.resolve("b"), 1 << 26, 16 * 1024, true)) {
      sandbox.agentLog.open(own);
      LogPosition first = sandbox.all(LogQuery.ALL).entries().getFirst().position();
      for (int i = 0; i < 20_000; i++) {
        sandbox.agentLog.line(3_000 + i, "INFO", "agent", "line number " + i, null);
      }
      List<LogItem> all = sandbox.all(LogQuery.ALL).items();
      assertThat(all.getFirst()).isInstanceOf(LogGap.class);
      assertThat(((LogEntry) all.getLast()).message()).isEqualTo("line number 19999");
      assertThat(all).hasSizeBetween(5_000, 19_999);
      assertThat(sandbox.all(LogQuery.ALL.with().backward(true).build()).items())
          .isEqualTo(all.reversed());
      assertThat(sandbox.all(LogQuery.ALL.with().cursor(first).build()).items()).isEqualTo(all);
      assertThat(QueriesTest.paged(sandbox, LogQuery.ALL, 1000, true)).hasSize(all.size() - 1);
    }
  }

  private static LogFailure parsing(String token) {
    return catchThrowableOfType(LogFailure.class, () -> LogPosition.parse(token));
  }

  private static LogFailure asking(Sandbox sandbox, LogQuery query) {
    return catchThrowableOfType(LogFailure.class, () -> sandbox.ask(query).close());
  }

  private static LogFailure reading(Sandbox sandbox, String regex) {
    return catchThrowableOfType(
        LogFailure.class, () -> sandbox.all(LogQuery.ALL.with().regex(regex).build()));
  }
}
