package dev.sandpiper.agent.rest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.http.HttpServer;
import dev.sandpiper.agent.http.HttpSettings;
import dev.sandpiper.agent.http.RawClient;
import dev.sandpiper.agent.http.Router;
import dev.sandpiper.agent.logs.LogEntry;
import dev.sandpiper.agent.logs.LogFailure;
import dev.sandpiper.agent.logs.LogGap;
import dev.sandpiper.agent.logs.LogItem;
import dev.sandpiper.agent.logs.LogLevel;
import dev.sandpiper.agent.logs.LogPosition;
import dev.sandpiper.agent.logs.LogPosition.Rank;
import dev.sandpiper.agent.logs.LogQueries;
import dev.sandpiper.agent.logs.LogQuery;
import dev.sandpiper.agent.logs.LogReading;
import dev.sandpiper.agent.output.StreamName;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Forms and statuses; what a query finds is tested with the engine.
final class LogsRoutesTest {
  private static final long BASE = 1_700_000_000_000_000L;

  private final Router router = new Router();
  private final List<LogItem> items = new ArrayList<>();
  private final List<LogQuery> asked = new ArrayList<>();
  private HttpServer server;

  @BeforeEach
  void listen() throws IOException {
    Awaited<LogQueries> queries = new Awaited<>();
    LogsRoutes.register(
        router, queries, new SandboxFacts(Optional.of("sbx1"), "t1", Instant.EPOCH));
    queries.set(query -> {
      asked.add(query);
      if ("unknown".equals(query.id())) {
        throw new LogFailure(LogFailure.Reason.UNKNOWN_PROCESS, "no process 'unknown'");
      }
      if ("unreadable".equals(query.tag())) {
        return new Unreadable();
      }
      return new Listed(items, query);
    });
    server =
        new HttpServer(
            HttpSettings.at(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)), router);
    server.bind();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  /// Answers on another thread, as the engine does, in small batches.
  private static final class Listed implements LogReading {
    private final List<LogItem> left;

    Listed(List<LogItem> items, LogQuery query) {
      left =
          new ArrayList<>(
              items.stream()
                  .filter(item -> item.timeMicros() >= query.startMicros().orElse(0))
                  .toList());
    }

    @Override
    public void next(Receiver receiver) {
      Thread.ofVirtual()
          .start(() -> {
            if (left.isEmpty()) {
              receiver.end(new End(Optional.empty(), false));
            } else {
              List<LogItem> batch = List.copyOf(left.subList(0, Math.min(3, left.size())));
              left.subList(0, batch.size()).clear();
              receiver.batch(batch);
            }
          });
    }

    @Override
    public Optional<LogPosition> position() {
      return Optional.empty();
    }

    @Override
    public void close() {}
  }

  /// Finds when it reads that it cannot.
  private static final class Unreadable implements LogReading {
    @Override
    public void next(Receiver receiver) {
      Thread.ofVirtual()
          .start(() ->
              receiver.failed(new LogFailure(LogFailure.Reason.UNREADABLE, "the disk is gone")));
    }

    @Override
    public Optional<LogPosition> position() {
      return Optional.empty();
    }

    @Override
    public void close() {}
  }

  private LogEntry line(long micros, String text) {
    LogEntry entry =
        new LogEntry(
            new LogPosition(
                BASE + micros, "p1", Rank.OUTPUT, items.size(), StreamName.STDOUT, items.size()),
            LogLevel.INFO,
            LogEntry.OUTPUT,
            "process",
            text,
            "p1",
            7,
            "build",
            StreamName.STDOUT,
            items.size(),
            false,
            false,
            Map.of());
    items.add(entry);
    return entry;
  }

  private RawClient.Response get(String path, String... headers) throws IOException {
    try (var client = new RawClient(server.port())) {
      String more = headers.length == 0 ? "" : String.join("\n", headers) + "\n";
      return client.send("GET " + path + " HTTP/1.1\nHost: x\n" + more + "\n").read();
    }
  }

  @Test
  void emptyLogIsAnEmptyAnswer() throws IOException {
    var answer = get("/logs");
    assertThat(answer.status()).isEqualTo(200);
    assertThat(answer.headers()).containsEntry("content-type", "text/plain; charset=utf-8");
    assertThat(answer.text()).isEmpty();
    assertThat(asked.getFirst().eventType()).isEqualTo(LogEntry.OUTPUT);
  }

  @Test
  void plainTextIsLinesWithTheirTimeIfAskedFor() throws IOException {
    line(1, "a");
    line(2_000_000, "");
    line(2_000_001, "é \u001b[1m");
    assertThat(get("/logs").text()).isEqualTo("a\n\né \u001b[1m\n");
    assertThat(get("/logs?timestamps=true").text())
        .isEqualTo(
            "2023-11-14T22:13:20.000001Z a\n2023-11-14T22:13:22.000000Z \n2023-11-14T22:13:22.000001Z é \u001b[1m\n");
  }

  @Test
  void objectsHaveACursorEachAndAnEnd() throws IOException {
    LogEntry first = line(1, "a \"b\"");
    var answer = get("/sandboxes/sbx1/logs", "Accept: application/x-ndjson");
    assertThat(answer.text())
        .isEqualTo(
            """
            {"@timestamp":"2023-11-14T22:13:20.000001Z","level":"INFO","logger":"process",\
            "event_type":"process_output","pid":7,"stream":"stdout","offset":0,"message":"a \\"b\\"",\
            "process_id":"p1","tag":"build","cursor":"%s"}
            {"event_type":"end","more":false}
            """
                .formatted(first.position().token()));
    assertThat(asked.getFirst().eventType()).isNull();
  }

  @Test
  void eventsHaveTheCursorAsTheirIdAndResumeFromIt() throws IOException {
    LogEntry first = line(1, "a");
    String token = first.position().token();
    items.add(
        new LogGap(
            first.position(), LogGap.Reason.REMOVED, "p1", 7, null, StreamName.STDOUT, 3, 10));
    assertThat(get("/logs?tail=5", "Accept: text/event-stream", "Last-Event-ID: " + token).text())
        .startsWith("event: log\ndata: {")
        .contains("\nid: " + token + "\n\nevent: gap\ndata: {")
        .contains("7 bytes of stdout are not kept any more")
        .endsWith("event: end\ndata: {\"event_type\":\"end\",\"more\":false}\n\n");
    assertThat(asked.getFirst().cursor()).isEqualTo(first.position());
    assertThat(asked.getFirst().tail()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "/logs?tail=0|422|tail",
        "/logs?tail=-1|422|tail",
        "/logs?tail=x|422|tail",
        "/logs?limit=0|422|limit",
        "/logs?stream=both|422|stream",
        "/logs?level=loud|422|level",
        "/logs?start=yesterday|422|start",
        "/logs?end=99999999999999999|422|end",
        "/logs?follow=maybe|422|follow",
        "/logs?direction=up|422|direction",
        "/logs?cursor=abc|422|cursor",
        "/logs?pid=-4|422|pid",
        "/logs?pdi=4|422|pdi",
        "/logs?tail=1&tail=2|422|tail",
        "/logs?id=unknown|404|unknown",
        "/sandboxes/other/logs|404|other",
        "/sandboxes/other/logs?tail=0|404|other",
        "/v2/sandboxes/other/logs|404|other",
        "/v2/sandboxes/sbx1/logs?limit=1001|422|limit",
        "/v2/sandboxes/sbx1/logs?direction=up|422|direction",
        "/sandboxes/other|404|other"
      })
  void refusalsNameWhatIsWrongBeforeAnyByteOfTheLog(String path, int status, String named)
      throws IOException {
    line(1, "a");
    var answer = get(path);
    assertThat(answer.status()).isEqualTo(status);
    assertThat(answer.text()).startsWith("{\"code\":" + status).contains(named);
  }

  @Test
  void firstShapeHasEveryRecordAsALineOfJson() throws IOException {
    line(1, "a");
    var answer = get("/sandboxes/sbx1/logs", "X-API-Key: k");
    assertThat(answer.headers()).containsEntry("content-type", "application/json");
    assertThat(answer.text())
        .startsWith("{\"logs\":[{\"timestamp\":\"2023-11-14T22:13:20.000001Z\",\"line\":\"{")
        .contains("\\\"level\\\":\\\"INFO\\\",\\\"logger\\\":\\\"process\\\"")
        .contains(
            "\"logEntries\":[{\"timestamp\":\"2023-11-14T22:13:20.000001Z\",\"level\":\"info\",\"message\":\"a\",\"fields\":{");
  }

  /// A client asks for the next page by the millisecond behind the last entry.
  @Test
  void pagesDoNotDivideAMillisecond() throws IOException {
    for (int i = 0; i < 10; i++) {
      line(i * 300L, "line " + i); // 0 to 3 in the first millisecond, 4 to 6, 7 to 9
    }
    String first = get("/sandboxes/sbx1/logs?limit=5", "X-API-Key: k").text();
    assertThat(first).contains("line 6").doesNotContain("line 7");
    String second =
        get("/sandboxes/sbx1/logs?limit=5&start=" + (BASE / 1000 + 2), "X-API-Key: k").text();
    assertThat(second).contains("line 7", "line 9").doesNotContain("line 6");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/logs?tag=unreadable",
        "/sandboxes/sbx1/logs?tag=unreadable",
        "/v2/sandboxes/sbx1/logs?tag=unreadable"
      })
  void T26_aLogThatCannotBeReadIsAnErrorAndNoEmptyList(String path) throws IOException {
    for (String header : List.of("X-API-Key: k", "Accept: application/x-ndjson")) {
      var answer = get(path, header);
      assertThat(answer.status()).isEqualTo(500);
      assertThat(answer.text()).contains("the disk is gone");
    }
  }

  @Test
  void sandboxRuns() throws IOException {
    assertThat(get("/sandboxes/sbx1", "X-API-Key: k").text())
        .startsWith("{\"sandboxID\":\"sbx1\",\"templateID\":\"t1\"")
        .contains("\"state\":\"running\"");
  }
}
