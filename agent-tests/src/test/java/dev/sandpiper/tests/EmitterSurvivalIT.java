package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.tests.harness.Collector;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Deadline;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.Records.Entry;
import dev.sandpiper.tests.harness.RestartedAgent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The agent is killed while it writes records, and the next one goes on: every line once, with its number.
final class EmitterSurvivalIT {
  private static final boolean PROOF = Boolean.getBoolean("sandpiper.proof");
  private static final int KILLS = PROOF ? 100 : 6;
  private static final int PRINTERS = 4;

  /// Prints numbered lines to both streams, long ones among them, until a file named `stop` is there, and leaves their
  /// numbers in a file.
  private static final String PRINTER =
      """
      import os, random, sys, time
      name, source, count = sys.argv[1], random.Random(sys.argv[1]), [0, 0, 0]
      while not os.path.exists('stop'):
          fd = source.choice((1, 1, 2))
          text = ''
          for _ in range(source.randrange(60)):
              text += '%d %s\\n' % (count[fd], 'x' * source.randrange(100))
              count[fd] += 1
          if source.random() < 0.02:
              text += '%d %s\\n' % (count[fd], 'y' * 100000)
              count[fd] += 1
          data = text.encode()
          while data:
              data = data[os.write(fd, data):]
          time.sleep(source.random() / 20)
      open(name + '.new', 'w').write('%d %d' % (count[1], count[2]))
      os.rename(name + '.new', name + '.count')
      sys.exit(7)
      """;

  @TempDir Path directory;

  private static RestartedAgent agent(Collector collector) {
    return new RestartedAgent(
            "--output-record-bytes=1GiB",
            "--output-record-count=100000000",
            "--output-retention=1GiB",
            "--output-total=2GiB")
        .recordsTo(collector.path());
  }

  private static boolean ended(List<Entry> records) {
    return records.stream().anyMatch(entry -> entry.is("process_end"));
  }

  /// Start first, then the lines with numbers from 1 without a hole; the end where it belongs.
  private static void checkOrder(String id, List<Entry> records) {
    assertThat(records.getFirst().is("process_start")).as("%s begins: %s", id, records).isTrue();
    assertThat(records.getLast().is("process_end")).as("%s ends", id).isTrue();
    for (int i = 1; i < records.size() - 1; i++) {
      assertThat(records.get(i).is("process_output")).as("%s: %s", id, records.get(i)).isTrue();
      assertThat(records.get(i).number("seq")).as("%s, record %d", id, i).isEqualTo(i);
    }
  }

  @Test
  void everyLineIsRecordedOnceThroughKills() throws IOException {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    try (Collector collector = new Collector(directory.resolve("records"));
        RestartedAgent agent = agent(collector).start()) {
      for (int i = 0; i < PRINTERS; i++) {
        Command printer = Command.of("python3", "-c", PRINTER, "printer" + i).tag("printer" + i);
        try (Follower start = agent.processes().start(printer.cwd(agent.directory()))) {
          start.pid();
        }
      }
      int quick = 0;
      for (int kill = 0; kill < KILLS; kill++) {
        if (kill % 4 == 3) {
          LockSupport.parkNanos(random.nextLong(200_000_000)); // while it starts
        } else {
          agent.awaitServing();
          for (int i = random.nextInt(4); i > 0; i--) {
            try (Follower run =
                agent
                    .processes()
                    .start(Command.sh("echo a; echo b; exit 3").tag("quick" + quick++))) {
              run.pid();
            }
          }
          LockSupport.parkNanos(random.nextLong(300_000_000));
        }
        agent.kill();
        agent.launch();
      }
      agent.awaitServing();
      Files.createFile(agent.directory().resolve("stop"));
      int all = PRINTERS + quick;
      collector.await(
          "all ends",
          Deadline.PATIENCE.multipliedBy(PROOF ? 20 : 2),
          processes ->
              processes.size() == all
                  && processes.values().stream().allMatch(EmitterSurvivalIT::ended));
      Map<String, List<Entry>> processes = collector.byProcess();
      processes.forEach(EmitterSurvivalIT::checkOrder);
      long lines = 0;
      for (List<Entry> records : processes.values()) {
        String tag = records.getFirst().string("tag");
        lines += records.size() - 2;
        if (tag.startsWith("quick")) {
          assertThat(records.subList(1, records.size() - 1).stream().map(Entry::message))
              .as(tag)
              .containsExactly("a", "b");
        } else {
          assertThat(records.getLast().number("exit_code"))
              .as("%s: %s", tag, records.getLast())
              .isIn(7L, -1L);
          checkNumbers(agent.directory().resolve(tag + ".count"), records);
        }
      }
      assertThat(collector.broken().size())
          .as("cut lines: %s", collector.broken())
          .isLessThanOrEqualTo(KILLS);
      assertThat(collector.repeats()).isLessThanOrEqualTo(collector.announced());
      Measured.print(
          "%d kills, seed %d: %d records of %d commands, %d came twice, %d lines were cut",
          KILLS, seed, lines, all, collector.repeats(), collector.broken().size());
    }
  }

  private static void checkNumbers(Path counts, List<Entry> records) throws IOException {
    String[] expected = Files.readString(counts).split(" ", -1);
    long[] next = new long[2];
    StringBuilder[] line = {new StringBuilder(), new StringBuilder()};
    for (Entry entry : records.subList(1, records.size() - 1)) {
      int stream = entry.string("stream").equals("stdout") ? 0 : 1;
      line[stream].append(entry.message());
      if (entry.has("partial_id") && entry.string("partial_last").equals("false")) {
        continue;
      }
      String text = line[stream].toString();
      line[stream].setLength(0);
      String[] parts = text.split(" ", -1);
      assertThat(parts[0])
          .as(text.length() > 200 ? "a long line" : text)
          .isEqualTo(Long.toString(next[stream]++));
      if (parts[1].startsWith("y")) {
        assertThat(parts[1]).hasSize(100_000);
      }
    }
    assertThat(next).containsExactly(Long.parseLong(expected[0]), Long.parseLong(expected[1]));
  }

  @Test
  void whatACollectorDidNotTakeForAWhileComesAfterwardsInOrderAndOnceT27() {
    int commands = PROOF ? 200 : 20;
    try (Collector collector = new Collector(directory.resolve("records"));
        RestartedAgent agent = agent(collector).start()) {
      collector.hold();
      for (int i = 0; i < commands; i++) {
        if (i % (commands / 2) == commands / 4) {
          agent.kill();
          agent.start();
        }
        try (Follower run = agent.processes().run(Command.sh("seq 1 300; seq 1 30 >&2"))) {
          assertThat(run.bytes()).isEqualTo(1173);
        }
      }
      agent.kill();
      agent.start();
      assertThat(collector.byProcess().size()).as("it is down").isLessThan(commands);
      collector.goOn();
      collector.await(
          "all ends",
          Duration.ofSeconds(60),
          processes ->
              processes.size() == commands
                  && processes.values().stream().allMatch(EmitterSurvivalIT::ended));
      collector
          .byProcess()
          .forEach((id, records) -> {
            checkOrder(id, records);
            for (String stream : List.of("stdout", "stderr")) {
              List<String> messages =
                  records.stream()
                      .filter(entry -> entry.string("stream").equals(stream))
                      .map(Entry::message)
                      .toList();
              assertThat(messages).hasSize(stream.equals("stdout") ? 300 : 30);
              for (int i = 0; i < messages.size(); i++) {
                assertThat(messages.get(i)).isEqualTo(Integer.toString(i + 1));
              }
            }
          });
      assertThat(collector.broken()).as("nothing was half written into a full pipe").isEmpty();
      Measured.print(
          "a collector that was down: %d of %d records came twice",
          collector.repeats(), commands * 332);
    }
  }
}
