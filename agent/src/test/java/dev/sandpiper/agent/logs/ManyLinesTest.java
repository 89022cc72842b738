package dev.sandpiper.agent.logs;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.errorprone.annotations.FormatMethod;
import dev.sandpiper.agent.output.StreamName;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Sizes as they happen, with the numbers they take.
final class ManyLinesTest {
  private static final boolean PROOF = Boolean.getBoolean("sandpiper.proof");
  private static final int PROCESSES = 20;
  private static final int LINES = PROOF ? 10_000 : 500;

  @TempDir Path directory;

  @Test
  void manyLinesOfManyProcessesWithinOneMillisecondAreAllFoundOnce() throws Exception {
    try (Sandbox sandbox = new Sandbox(directory, 1 << 26, LogEntry.CERTAINLY_WHOLE_BYTES)) {
      List<Sandbox.Printing> processes = new ArrayList<>();
      for (int i = 0; i < PROCESSES; i++) {
        processes.add(sandbox.start("p%018d".formatted(i), 100 + i, i % 4 == 0 ? "four" : null));
      }
      int done = 0;
      int round = 0;
      while (done < LINES) {
        int count = Math.min(LINES - done, round % 3 == 0 ? 1 : 200);
        for (Sandbox.Printing process : processes) {
          StringBuilder text = new StringBuilder();
          for (int i = 0; i < count; i++) {
            text.append(process.processId()).append(" line ").append(done + i).append('\n');
          }
          if (round % 5 == 4) {
            process.err(text.toString());
          } else {
            process.out(text.toString());
          }
        }
        done += count;
        round++;
      }
      for (Sandbox.Printing process : processes) {
        process.finish();
      }
      List<LogEntry> all = Reference.entries(processes, LogEntry.CERTAINLY_WHOLE_BYTES);
      Map<Long, Long> perMilli =
          all.stream()
              .collect(Collectors.groupingBy(e -> e.timeMicros() / 1000, Collectors.counting()));
      long began = System.nanoTime();
      QueriesTest.same("all", sandbox.all(LogQuery.ALL).entries(), all);
      long forward = System.nanoTime();
      QueriesTest.same(
          "backwards",
          sandbox.all(LogQuery.ALL.with().backward(true).build()).entries(),
          all.reversed());
      QueriesTest.same(
          "stderr of a tag",
          sandbox.all(LogQuery.ALL.with().tag("four").stream(StreamName.STDERR).build()).entries(),
          all.stream()
              .filter(entry -> "four".equals(entry.tag()) && entry.stream() == StreamName.STDERR)
              .toList());
      QueriesTest.same(
          "search",
          sandbox.all(LogQuery.ALL.with().search("line 99").build()).entries(),
          all.stream().filter(entry -> entry.message().contains("line 99")).toList());
      long paging = System.nanoTime();
      QueriesTest.same("pages of 7", QueriesTest.paged(sandbox, LogQuery.ALL, 7, false), all);
      long paged = System.nanoTime();
      QueriesTest.same(
          "pages of 7 backwards",
          QueriesTest.paged(sandbox, LogQuery.ALL, 7, true),
          all.reversed());
      say(
          "logs: %d entries of %d processes, up to %d within one millisecond: all in %d ms, in pages of 7 in %d ms",
          all.size(),
          PROCESSES,
          perMilli.values().stream().mapToLong(Long::longValue).max().orElse(0),
          (forward - began) / 1_000_000,
          (paged - paging) / 1_000_000);
    }
  }

  @Test
  void aSearchIsFastAndATailIsAtOnce() throws Exception {
    int mebibytes = PROOF ? 1024 : 64;
    try (Sandbox sandbox = new Sandbox(directory, 2L << 30, LogEntry.CERTAINLY_WHOLE_BYTES)) {
      Sandbox.Printing process = sandbox.start("p1", 7, null);
      StringBuilder text = new StringBuilder();
      for (int i = 0; text.length() < 1 << 20; i++) {
        text.append("2026-11-21T18:00:00Z INFO some.module a line as programs print them, ")
            .append(1_000_000 + i)
            .append('\n');
      }
      byte[] block = text.toString().getBytes(StandardCharsets.UTF_8);
      for (int i = 0; i < mebibytes; i++) {
        process.print(StreamName.STDOUT, block);
      }
      process.out("the needle\n");
      process.finish();
      assertThat(sandbox.all(LogQuery.ALL.with().search("no such needle").build()).entries())
          .isEmpty();
      long began = System.nanoTime();
      assertThat(sandbox.all(LogQuery.ALL.with().search("the needle").build()).entries())
          .hasSize(1);
      long searched = System.nanoTime();
      assertThat(sandbox.all(LogQuery.ALL.with().tail(10).build()).entries()).hasSize(10);
      long tailed = System.nanoTime();
      assertThat(sandbox.all(LogQuery.ALL.with().backward(true).limit(100).build()).entries())
          .hasSize(100);
      long backward = System.nanoTime();
      say(
          "logs: %d MiB: a search at %d MiB/s, a tail of 10 in %.1f ms, the last 100 backwards in %.1f ms",
          mebibytes,
          mebibytes * 1_000_000_000L / (searched - began),
          (tailed - searched) / 1e6,
          (backward - tailed) / 1e6);
    }
  }

  @SuppressWarnings("SystemOut") // figures are for whoever reads the build's output
  @FormatMethod
  private static void say(String format, Object... values) {
    System.out.println(String.format(format, values));
  }
}
