package dev.sandpiper.agent.logs;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.output.StreamName;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The engine against a full scan.
final class QueriesTest {
  private static final int CUT = 32;

  @TempDir Path directory;

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void findsWhatAFullScanFinds(long seed) throws Exception {
    Random random = new Random(seed);
    try (Sandbox sandbox = new Sandbox(directory, 1 << 26, CUT)) {
      List<Sandbox.Printing> processes = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        processes.add(
            sandbox.start("p%018d".formatted(i), 100 + i / 2, i % 2 == 0 ? "even" : null));
      }
      for (int round = 0; round < 60; round++) {
        Sandbox.Printing process = processes.get(random.nextInt(5));
        if (process.ended() != null && random.nextInt(3) > 0) {
          continue;
        }
        process.print(
            random.nextInt(3) == 0 ? StreamName.STDERR : StreamName.STDOUT, noise(random));
        if (random.nextInt(30) == 0) {
          process.end();
        }
      }
      for (Sandbox.Printing process : processes.subList(0, 4)) {
        process.finish();
      }
      Sandbox.Printing alive = processes.get(4);
      alive.out("last\n");
      alive.err("last\n");
      settle(alive);
      compare(sandbox, Reference.entries(processes, CUT), random);
    }
  }

  /// What was written is in the log.
  private static void settle(Sandbox.Printing process) throws InterruptedException {
    org.awaitility.Awaitility.await()
        .until(() -> {
          List<Sandbox.Piece> pieces = process.pieces();
          for (StreamName stream : Sandbox.BOTH) {
            byte[] last = new byte[0];
            for (Sandbox.Piece piece : pieces) {
              if (piece.stream() == stream) {
                last = piece.bytes();
              }
            }
            if (!new String(last, StandardCharsets.ISO_8859_1).endsWith("last\n")) {
              return false;
            }
          }
          return true;
        });
  }

  private static void compare(Sandbox sandbox, List<LogEntry> all, Random random) throws Exception {
    same("all", sandbox.all(LogQuery.ALL).entries(), all);
    same(
        "all backwards",
        sandbox.all(LogQuery.ALL.with().backward(true).build()).entries(),
        reversed(all));
    LogEntry one = all.get(random.nextInt(all.size()));
    LogEntry other = all.get(random.nextInt(all.size()));
    long start = Math.min(one.timeMicros(), other.timeMicros());
    long end = Math.max(one.timeMicros(), other.timeMicros());
    both(
        sandbox,
        all,
        LogQuery.ALL.with().startMicros(start).build(),
        entry -> entry.timeMicros() >= start);
    both(
        sandbox,
        all,
        LogQuery.ALL.with().endMicros(end).build(),
        entry -> entry.timeMicros() < end);
    both(
        sandbox,
        all,
        LogQuery.ALL.with().startMicros(start).endMicros(end).search("a").build(),
        entry ->
            entry.timeMicros() >= start
                && entry.timeMicros() < end
                && entry.message().contains("a"));
    both(
        sandbox,
        all,
        LogQuery.ALL.with().search("\uFFFD").build(),
        entry -> entry.message().contains("\uFFFD"));
    both(
        sandbox,
        all,
        LogQuery.ALL.with().search("é").stream(StreamName.STDERR).build(),
        entry -> entry.message().contains("é") && entry.stream() == StreamName.STDERR);
    both(
        sandbox,
        all,
        LogQuery.ALL.with().regex("a.*b").search("c").build(),
        entry ->
            Pattern.compile("a.*b").matcher(entry.message()).find()
                && entry.message().contains("c"));
    both(
        sandbox,
        all,
        LogQuery.ALL.with().id(one.processId()).level(LogLevel.ERROR).build(),
        entry ->
            Objects.equals(entry.processId(), one.processId())
                && entry.eventType().equals(LogEntry.OUTPUT));
    both(
        sandbox, all, LogQuery.ALL.with().tag("even").build(), entry -> "even".equals(entry.tag()));
    both(
        sandbox,
        all,
        LogQuery.ALL.with().eventType(LogEntry.END).build(),
        entry -> entry.eventType().equals(LogEntry.END));
    both(sandbox, all, LogQuery.ALL.with().level(LogLevel.WARN).build(), _ -> false);
    for (int tail : new int[] {1, 7, all.size(), all.size() + 5}) {
      same(
          "tail " + tail,
          sandbox.all(LogQuery.ALL.with().tail(tail).build()).entries(),
          all.subList(Math.max(0, all.size() - tail), all.size()));
    }
    for (boolean backward : new boolean[] {false, true}) {
      for (int page : new int[] {1, 7}) {
        same(
            "pages of " + page,
            paged(sandbox, LogQuery.ALL, page, backward),
            backward ? reversed(all) : all);
      }
    }
    for (int i = 0; i < 20; i++) {
      int at = random.nextInt(all.size());
      LogPosition cursor = LogPosition.parse(all.get(at).position().token());
      LogQuery.Builder query = LogQuery.ALL.with().cursor(cursor);
      same("from " + cursor, sandbox.all(query.build()).entries(), all.subList(at + 1, all.size()));
      same(
          "tail from " + cursor,
          sandbox.all(query.tail(5).build()).entries(),
          all.subList(Math.max(at + 1, all.size() - 5), all.size()));
      same(
          "back from " + cursor,
          sandbox.all(LogQuery.ALL.with().cursor(cursor).backward(true).build()).entries(),
          reversed(all.subList(0, at)));
    }
  }

  static List<LogEntry> paged(Sandbox sandbox, LogQuery query, int page, boolean backward)
      throws Exception {
    List<LogEntry> found = new ArrayList<>();
    LogPosition cursor = null;
    while (true) {
      Sandbox.Found one =
          sandbox.all(query.with().backward(backward).limit(page).cursor(cursor).build());
      found.addAll(one.entries());
      if (!one.end().more()) {
        return found;
      }
      assertThat(one.entries()).hasSize(page);
      cursor = LogPosition.parse(one.end().position().orElseThrow().token());
    }
  }

  private static void both(
      Sandbox sandbox, List<LogEntry> all, LogQuery query, Predicate<LogEntry> wanted)
      throws Exception {
    List<LogEntry> expected = all.stream().filter(wanted).toList();
    same(query.toString(), sandbox.all(query).entries(), expected);
    same(
        "backwards " + query,
        sandbox.all(query.with().backward(true).build()).entries(),
        reversed(expected));
  }

  /// Says where lists of thousands begin to differ.
  static void same(String what, List<LogEntry> found, List<LogEntry> expected) {
    for (int i = 0; i < Math.min(found.size(), expected.size()); i++) {
      assertThat(found.get(i)).as("%s, entry %d", what, i).isEqualTo(expected.get(i));
    }
    assertThat(found).as(what).hasSameSizeAs(expected);
  }

  private static List<LogEntry> reversed(List<LogEntry> entries) {
    List<LogEntry> reversed = new ArrayList<>(entries);
    Collections.reverse(reversed);
    return reversed;
  }

  /// Lines and pieces of lines, short and long, with characters of all lengths, mistakes, and all kinds of line ends.
  private static byte[] noise(Random random) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    String[] texts = {"a", "b", "c", "\n", "\r\n", "\r", "é", "€", "😀", "\n\n", "abc abc abc\n"};
    int pieces = 1 + random.nextInt(random.nextInt(4) == 0 ? 200 : 12);
    int endless = random.nextInt(3);
    for (int i = 0; i < pieces; i++) {
      if (random.nextInt(20) == 0) {
        bytes.write(0x80 + random.nextInt(0x80));
      } else {
        String text = texts[random.nextInt(texts.length)];
        bytes.writeBytes(
            (endless == 0 ? text.replace("\n", "x") : text).getBytes(StandardCharsets.UTF_8));
      }
    }
    return bytes.toByteArray();
  }
}
