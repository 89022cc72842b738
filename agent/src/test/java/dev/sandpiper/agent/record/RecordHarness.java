package dev.sandpiper.agent.record;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.telemetry.Counters;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// One process's records, turn by turn on the test's own thread, and what came out of it.
final class RecordHarness {
  static final Instant NOW = Instant.parse("2026-11-21T11:48:32.000123Z");
  static final int PID = 4711;
  static final String ID = "p-1";
  static final EndFacts END = new EndFacts(0, true, "exit status 0", null, 1, 2, 0, NOW);

  private static final JsonMapper JSON = new JsonMapper();

  final FakeCursor cursor = new FakeCursor();
  final ByteArrayOutputStream written = new ByteArrayOutputStream();
  final RecordBuffer buffer = new RecordBuffer((bytes, length) -> written.write(bytes, 0, length));
  final RecordTurn shared;
  final ProcessRecords process;
  private List<JsonNode> parsed = List.of();
  private int parsedBytes;

  RecordHarness() {
    this(RecordSettings.DEFAULTS);
  }

  RecordHarness(RecordSettings settings) {
    this(settings, EmitterPosition.beginning(settings), "t");
  }

  RecordHarness(RecordSettings settings, EmitterPosition from, @Nullable String tag) {
    shared =
        new RecordTurn(
            settings,
            new RecordEncoder(buffer),
            new RecordLedger(),
            () -> NOW,
            new Counters(),
            _ -> {});
    process = new ProcessRecords(facts(ID, PID, tag), cursor, from);
  }

  static ProcessFacts facts(String id, int pid, @Nullable String tag) {
    return new ProcessFacts(id, pid, tag, "printf 'a\\nb'", "user", Duration.ofSeconds(60), NOW);
  }

  static RecordSettings caps(long bytes, int records) {
    return new RecordSettings(true, bytes, records, RecordSettings.DEFAULTS.lineLimitBytes());
  }

  RecordHarness stdout(String text) {
    cursor.print(StreamName.STDOUT, text);
    return this;
  }

  RecordHarness stderr(String text) {
    cursor.print(StreamName.STDERR, text);
    return this;
  }

  /// The process ends here, and nobody holds its streams.
  RecordHarness end() {
    cursor.mark().drain();
    process.end(END);
    return this;
  }

  /// As many turns as it takes.
  ProcessRecords.Turn run() {
    while (true) {
      var turn = process.turn(shared, 64 * 1024);
      if (turn != ProcessRecords.Turn.MORE) {
        buffer.flush();
        return turn;
      }
    }
  }

  /// Everything written so far; each line has to be a flat JSON object.
  List<JsonNode> records() {
    if (written.size() != parsedBytes) {
      parsed = parse(written.toByteArray());
      parsedBytes = written.size();
    }
    return parsed;
  }

  static List<JsonNode> parse(byte[] output) {
    String text = new String(output, StandardCharsets.UTF_8);
    assertThat(text)
        .satisfiesAnyOf(t -> assertThat(t).isEmpty(), t -> assertThat(t).endsWith("\n"));
    return text.lines().map(RecordHarness::flat).toList();
  }

  private static JsonNode flat(String line) {
    var node = JSON.readTree(line);
    assertThat(node.isObject()).as(line).isTrue();
    assertThat(node.values()).as(line).allMatch(value -> value.isString() || value.isNumber());
    assertThat(line.length()).as("below a shipper's limit").isLessThan(192 * 1024);
    return node;
  }

  static String text(JsonNode record, String field) {
    assertThat(record.has(field)).as("%s in %s", field, record).isTrue();
    return record.get(field).asString();
  }

  static List<JsonNode> of(List<JsonNode> records, String eventType) {
    return records.stream().filter(r -> text(r, "event_type").equals(eventType)).toList();
  }

  /// `process_output` records, without the marker.
  List<JsonNode> output() {
    return of(records(), "process_output").stream()
        .filter(r -> !text(r, "message").equals(RecordEncoder.TRUNCATED))
        .toList();
  }

  List<JsonNode> markers() {
    return of(records(), "process_output").stream()
        .filter(r -> text(r, "message").equals(RecordEncoder.TRUNCATED))
        .toList();
  }

  List<String> messages() {
    return output().stream().map(r -> text(r, "message")).toList();
  }

  List<String> messages(String stream) {
    return output().stream()
        .filter(r -> text(r, "stream").equals(stream))
        .map(r -> text(r, "message"))
        .toList();
  }

  long messageBytes() {
    return messages().stream().mapToLong(m -> Lines.utf8(m).length).sum();
  }
}
