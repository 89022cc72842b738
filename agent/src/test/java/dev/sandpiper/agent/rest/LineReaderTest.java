package dev.sandpiper.agent.rest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.OutputSettings;
import dev.sandpiper.agent.output.OutputSource;
import dev.sandpiper.agent.output.OutputStore;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.output.epoll.EpollPipeLoop;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class LineReaderTest {
  private static final Set<StreamName> BOTH = EnumSet.of(StreamName.STDOUT, StreamName.STDERR);
  private static final LineReader.Buffer BUFFER = new LineReader.Buffer();

  @TempDir Path directory;
  private final EpollPipeLoop loop = new EpollPipeLoop();
  private OutputStore store;
  private OutputLog log;
  private int stdout;
  private int stderr;

  @BeforeEach
  void open() {
    store = OutputStore.open(directory, OutputSettings.DEFAULT, loop);
    log = store.create("p1", BOTH);
    stdout = attach(StreamName.STDOUT);
    stderr = attach(StreamName.STDERR);
  }

  @AfterEach
  void stop() {
    store.close();
    loop.close();
  }

  private int attach(StreamName stream) {
    int[] fds = new int[2];
    assertThat(Posix.pipe2(fds, Fcntl.O_CLOEXEC)).isZero();
    assertThat(Posix.setNonBlocking(fds[0], true)).isZero();
    log.attach(stream, new OutputSource.Pipe(fds[0], () -> {}));
    return fds[1];
  }

  private static void print(int fd, byte[] bytes, int from, int to) {
    ByteBuffer direct = ByteBuffer.allocateDirect(to - from).put(bytes, from, to - from).flip();
    while (direct.hasRemaining()) {
      assertThat(Posix.write(fd, direct)).isPositive();
    }
  }

  private static void print(int fd, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
    print(fd, bytes, 0, bytes.length);
  }

  /// Nobody prints any more, and all of it is in the log.
  private void end() throws InterruptedException {
    Posix.close(stdout);
    Posix.close(stderr);
    CountDownLatch drained = new CountDownLatch(1);
    log.onDrained(drained::countDown);
    assertThat(drained.await(60, TimeUnit.SECONDS)).isTrue();
    log.markEnd();
  }

  private record Seen(StreamName stream, String text, String token) {}

  private List<Seen> read(LinePosition from, Set<StreamName> streams, int atATime)
      throws InterruptedException {
    List<Seen> seen = new ArrayList<>();
    Semaphore wake = new Semaphore(0);
    try (LineReader reader = new LineReader(log, streams, from).onWake(wake::release)) {
      LineReader.Sink sink =
          new LineReader.Sink() {
            @Override
            public boolean line(StreamName stream, byte[] bytes, int start, int end, long micros) {
              String text = new String(bytes, start, end - start, StandardCharsets.ISO_8859_1);
              seen.add(new Seen(stream, text, reader.position().token("p1")));
              return seen.size() % atATime != 0;
            }

            @Override
            public void gap(StreamName stream, long start, long end) {
              throw new AssertionError("a gap of " + stream);
            }
          };
      while (true) {
        switch (reader.read(BUFFER, sink)) {
          case END -> {
            return seen;
          }
          case IDLE, DRAINED -> assertThat(wake.tryAcquire(60, TimeUnit.SECONDS)).isTrue();
          case FULL -> {}
          case LIMIT -> throw new AssertionError("there is no limit");
        }
      }
    }
  }

  /// Lines of every kind: empty, with carriage returns, not UTF-8, longer than a part, cut anywhere, and without an end.
  private static byte[] lines(Random random) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 120; i++) {
      int length = random.nextInt(30) == 0 ? random.nextInt(700_000) : random.nextInt(200);
      String kind = random.nextBoolean() ? "ab" : "a\r\u00e4\u0000\u00ff";
      for (int k = 0; k < length; k++) {
        text.append(kind.charAt(random.nextInt(kind.length())));
      }
      text.append(random.nextInt(4) == 0 ? "\r\n" : "\n");
    }
    return text.append("no end").toString().getBytes(StandardCharsets.ISO_8859_1);
  }

  @Test
  void linesAreTheSameLiveLaterAndFromEveryPosition() throws Exception {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    byte[] out = lines(random);
    byte[] err = lines(random);
    CompletableFuture<List<Seen>> live =
        CompletableFuture.supplyAsync(() -> {
          try {
            return read(LinePosition.beginning(BOTH), BOTH, 3);
          } catch (InterruptedException e) {
            throw new IllegalStateException(e);
          }
        });
    int o = 0;
    int e = 0;
    while (o < out.length || e < err.length) {
      int more = Math.min(out.length, o + random.nextInt(50_000));
      print(stdout, out, o, more);
      o = more;
      more = Math.min(err.length, e + random.nextInt(50_000));
      print(stderr, err, e, more);
      e = more;
    }
    end();

    List<Seen> all = live.get(60, TimeUnit.SECONDS);
    assertThat(read(LinePosition.beginning(BOTH), BOTH, 1000)).as("seed " + seed).isEqualTo(all);
    for (StreamName stream : BOTH) {
      byte[] printed = stream == StreamName.STDOUT ? out : err;
      assertThat(
              all.stream()
                  .filter(seen -> seen.stream() == stream)
                  .mapToLong(s -> s.text().length())
                  .sum())
          .as("seed " + seed)
          .isBetween(printed.length - 2L * 121, (long) printed.length);
      Set<StreamName> only = Set.of(stream);
      assertThat(read(LinePosition.beginning(only), only, 7).stream().map(Seen::text))
          .as("seed " + seed)
          .isEqualTo(all.stream().filter(seen -> seen.stream() == stream).map(Seen::text).toList());
    }
    for (int i = 0; i < all.size(); i += 1 + random.nextInt(20)) {
      LinePosition from = LinePosition.parse(all.get(i).token(), log, BOTH);
      assertThat(read(from, BOTH, 50))
          .as("seed %d, after %d", seed, i)
          .isEqualTo(all.subList(i + 1, all.size()));
    }
    for (int lines : new int[] {0, 1, 2, 30, 200, all.size(), all.size() + 1, Integer.MAX_VALUE}) {
      LastLines last = LastLines.find(log, BOTH, lines, true, BUFFER);
      List<Seen> found = read(last.from(), BOTH, 1000);
      assertThat(found.subList(Math.toIntExact(last.skip()), found.size()).stream().map(Seen::text))
          .as("seed %d, last %d", seed, lines)
          .isEqualTo(
              all.subList(Math.max(0, all.size() - lines), all.size()).stream()
                  .map(Seen::text)
                  .toList());
    }
  }

  @Test
  void whatHasNoEndYetIsNoLine() throws Exception {
    print(stdout, "one\ntwo\nthr");
    print(stderr, "waiting");
    Awaitility.await()
        .until(
            () -> log.endOffset(StreamName.STDOUT) == 11 && log.endOffset(StreamName.STDERR) == 7);
    LastLines last = LastLines.find(log, BOTH, 1, false, BUFFER);
    List<String> lines = new ArrayList<>();
    LineReader.Sink sink =
        new LineReader.Sink() {
          @Override
          public boolean line(StreamName stream, byte[] bytes, int start, int end, long micros) {
            lines.add(new String(bytes, start, end - start, StandardCharsets.UTF_8));
            return true;
          }

          @Override
          public void gap(StreamName stream, long start, long end) {
            throw new AssertionError("a gap of " + stream);
          }
        };
    try (LineReader reader = new LineReader(log, BOTH, last.from()).limit(last.ends())) {
      assertThat(reader.read(BUFFER, sink)).isIn(LineReader.Stop.IDLE, LineReader.Stop.LIMIT);
      assertThat(lines.subList((int) last.skip(), lines.size())).containsExactly("two");
      reader.limit(null);
      print(stdout, "ee\n");
      end();
      lines.clear();
      LineReader.Stop stop = reader.read(BUFFER, sink);
      assertThat(stop).isEqualTo(LineReader.Stop.END);
    }
    assertThat(lines).containsExactly("three", "waiting");
  }
}
