package dev.sandpiper.agent.record;

import static dev.sandpiper.agent.record.RecordHarness.NOW;
import static dev.sandpiper.agent.record.RecordHarness.text;
import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.telemetry.AgentLogging;
import dev.sandpiper.agent.telemetry.Counters;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// An agent that dies at any moment within its writing, and the one after it, which has nothing but the files.
final class EmitterCrashTest {
  private static final int ROUNDS = Boolean.getBoolean("sandpiper.proof") ? 2_000 : 40;
  private static final JsonMapper JSON = new JsonMapper();

  @TempDir Path directory;

  /// As far from an exception as a kill is.
  private static final class Killed extends Error {
    @java.io.Serial private static final long serialVersionUID = 1L;
  }

  /// What a process prints, and which of its records are expected.
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Printed(byte[] stdout, byte[] stderr, boolean ends) {
    byte[] of(StreamName stream) {
      return stream == StreamName.STDOUT ? stdout : stderr;
    }
  }

  /// One agent after the other onto one standard output.
  private static final class Agents {
    private final Random random;
    private final RecordSettings settings;
    private final Map<String, Printed> processes;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final Set<String> told = new HashSet<>();
    private final Path state;
    private long killIn;
    private boolean kills = true;
    private long biggestWrite;

    Agents(Random random, RecordSettings settings, Map<String, Printed> processes, Path state) {
      this.random = random;
      this.settings = settings;
      this.processes = processes;
      this.state = state;
    }

    private long write(ByteBuffer lines) {
      biggestWrite = Math.max(biggestWrite, lines.remaining());
      int takes = 1 + random.nextInt(lines.remaining());
      takes = random.nextInt(4) == 0 ? takes : lines.remaining();
      boolean dies = kills && killIn < takes;
      byte[] taken = new byte[(int) (dies ? killIn : takes)];
      lines.get(taken);
      out.writeBytes(taken);
      killIn -= takes;
      if (dies) {
        throw new Killed();
      }
      return taken.length;
    }

    private void tellForGood(List<String> processIds) throws IOException {
      switch (kills ? random.nextInt(8) : 7) {
        case 0 -> throw new Killed();
        case 1 -> {
          told.addAll(processIds);
          throw new Killed();
        }
        case 2 -> throw new IOException("the disk is full");
        default -> told.addAll(processIds);
      }
    }

    /// One life. False when it was cut short.
    boolean live(long killAfterBytes) throws IOException {
      killIn = killAfterBytes;
      var log = AgentLogging.configure(Level.OFF);
      var counters = new Counters();
      var writer = new RecordWriter(this::write, log, () -> NOW, counters, _ -> {});
      var emitter = new RecordEmitter(settings, writer, () -> NOW, counters);
      List<String> notes = new ArrayList<>();
      emitter.resume(state, this::tellForGood, notes);
      assertThat(notes).isEmpty();
      List<String> waiting = new ArrayList<>(processes.keySet());
      waiting.removeAll(told);
      try {
        for (String id : waiting) {
          emitter.adopt(RecordHarness.facts(id, 1, "t"), from -> cursor(id, from));
          if (Objects.requireNonNull(processes.get(id)).ends()) {
            emitter.processEnded(id, RecordHarness.END);
          }
        }
        emitter.resumed();
        writer.open();
        while (emitter.emit()) {
          if (random.nextInt(10) == 0) {
            writer.flush();
          }
        }
        writer.flush();
        writer.flush();
      } catch (Killed _) {
        return false;
      }
      return true;
    }

    /// The rest of what it prints, its streams interleaved in another way each time.
    private FakeCursor cursor(String id, EmitterPosition from) {
      var cursor = new FakeCursor();
      Printed printed = Objects.requireNonNull(processes.get(id));
      int[] at = {(int) from.stdout().offset(), (int) from.stderr().offset()};
      cursor.at(StreamName.STDOUT, at[0]);
      cursor.at(StreamName.STDERR, at[1]);
      StreamName[] streams = {StreamName.STDOUT, StreamName.STDERR};
      while (at[0] < printed.stdout().length || at[1] < printed.stderr().length) {
        int i = random.nextInt(2);
        byte[] bytes = printed.of(streams[i]);
        int to = Math.min(bytes.length, at[i] + 1 + random.nextInt(3000));
        if (at[i] < bytes.length) {
          cursor.print(streams[i], Arrays.copyOfRange(bytes, at[i], to));
          at[i] = to;
        }
      }
      if (printed.ends()) {
        cursor.mark().drain();
      }
      return cursor;
    }
  }

  private static Printed printed(Random random) {
    byte[][] streams = new byte[2][];
    for (int i = 0; i < 2; i++) {
      var text = new StringBuilder();
      int lines = random.nextInt(4) == 0 ? random.nextInt(1500) : random.nextInt(4);
      for (int line = 0; line < lines; line++) {
        int length = random.nextInt(100) == 0 ? random.nextInt(20_000) : random.nextInt(60);
        text.append(i).append(':').append(line).append(' ').append("x€".repeat(length / 2));
        text.append(random.nextInt(20) == 0 ? "\r\n\n" : "\n");
      }
      if (random.nextInt(3) == 0) {
        text.append("without an end");
      }
      streams[i] = Lines.utf8(text.toString());
    }
    return new Printed(streams[0], streams[1], random.nextInt(5) != 0);
  }

  @Test
  void noRecordIsMissingAndNoneHasAnothersNumber() throws IOException {
    long seed = System.nanoTime();
    for (int round = 0; round < ROUNDS; round++) {
      once(new Random(seed + round), "seed %d".formatted(seed + round), round);
    }
  }

  private void once(Random random, String name, int round) throws IOException {
    var settings =
        new RecordSettings(
            true,
            random.nextInt(4) == 0 ? random.nextInt(20_000) : 2 << 20,
            random.nextInt(4) == 0 ? random.nextInt(300) : 10_000,
            random.nextBoolean() ? 4096 : 64 + random.nextInt(200));
    Map<String, Printed> processes = new LinkedHashMap<>();
    for (int i = random.nextInt(30); i >= 0; i--) {
      processes.put("p%03d".formatted(i), printed(random));
    }
    Path state = java.nio.file.Files.createDirectory(directory.resolve("state-" + round));
    var agents = new Agents(random, settings, processes, state);
    int kills = 0;
    agents.live(0); // the directory is known from here on
    while (kills < 20 && !agents.live(random.nextInt(150_000))) {
      kills++;
    }
    agents.kills = false;
    assertThat(agents.live(0)).as(name).isTrue();
    check(agents, name);
    // And nothing is told twice by one that finds everything told.
    int size = agents.out.size();
    assertThat(agents.live(0)).isTrue();
    assertThat(agents.out.size()).as(name).isEqualTo(size);
  }

  private static void check(Agents agents, String name) {
    Map<String, Map<String, JsonNode>> records = new HashMap<>();
    int cut = 0;
    String text = Lines.decode(agents.out.toByteArray());
    assertThat(text).as(name).endsWith("\n");
    for (String line : text.split("\n", -1)) {
      if (line.isEmpty()) {
        continue;
      }
      JsonNode record;
      try {
        record = JSON.readTree(line);
      } catch (JacksonException _) {
        cut++;
        assertThat(line).as(name).contains("records_repeated");
        continue;
      }
      if (text(record, "event_type").equals("records_repeated")) {
        continue;
      }
      String key =
          text(record, "event_type") + ' ' + (record.has("seq") ? record.get("seq").asInt() : 0);
      if (!key.startsWith("process_output") && !key.startsWith("process_")) {
        throw new AssertionError(name + ": " + record);
      }
      // The number is the process's, whatever the record tells.
      JsonNode before =
          records
              .computeIfAbsent(text(record, "process_id"), _ -> new LinkedHashMap<>())
              .putIfAbsent(key, record);
      if (before != null) {
        assertThat(record).as(name).isEqualTo(before);
      }
    }
    assertThat(cut).as(name).isLessThanOrEqualTo(21);
    assertThat(records.keySet()).as(name).isEqualTo(agents.processes.keySet());
    agents.processes.forEach((id, printed) ->
        check(Objects.requireNonNull(records.get(id)), printed, agents.settings, name + " " + id));
  }

  private static void check(
      Map<String, JsonNode> records, Printed printed, RecordSettings settings, String name) {
    assertThat(records).as(name).containsKey("process_start 0");
    assertThat(records.containsKey("process_end 0")).as(name).isEqualTo(printed.ends());
    int seq = 1;
    Map<String, StringBuilder> text = new HashMap<>();
    long bytes = 0;
    boolean truncated = false;
    JsonNode record = records.get("process_output " + seq);
    while (record != null) {
      String message = text(record, "message");
      truncated = message.equals(RecordEncoder.TRUNCATED);
      if (!truncated) {
        text.computeIfAbsent(text(record, "stream"), _ -> new StringBuilder()).append(message);
        bytes += Lines.utf8(message).length;
      }
      record = records.get("process_output " + ++seq);
    }
    assertThat(records.keySet().stream().filter(key -> key.startsWith("process_output")))
        .as(name + ": no hole")
        .hasSize(seq - 1);
    assertThat(bytes).as(name).isLessThanOrEqualTo(settings.capBytes());
    for (StreamName stream : List.of(StreamName.STDOUT, StreamName.STDERR)) {
      String all = Lines.decode(printed.of(stream)).replace("\r\n", "\n").replace("\n", "");
      if (!printed.ends()) {
        all = all.replaceAll("without an end$", "");
      }
      String got = text.getOrDefault(stream.text(), new StringBuilder()).toString();
      if (truncated) {
        assertThat(all).as(name).startsWith(got);
      } else {
        assertThat(got.length()).as(name).isEqualTo(all.length());
        assertThat(got).as(name).isEqualTo(all);
      }
    }
  }
}
