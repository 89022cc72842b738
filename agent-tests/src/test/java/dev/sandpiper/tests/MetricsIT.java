package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Deadline;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.Json;
import dev.sandpiper.tests.harness.LimitedGroup;
import dev.sandpiper.tests.harness.Numbers;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.PythonPackages;
import dev.sandpiper.tests.harness.RpcException;
import dev.sandpiper.tests.harness.Scrape;
import dev.sandpiper.tests.harness.Shell;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `/metrics`: E2B's JSON, the text for Prometheus, and that the numbers are right.
final class MetricsIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  private static final long MIB = 1024 * 1024;

  @TempDir Path directory;

  private static HttpConnection.Reply get(AgentProcess agent, Map<String, String> headers) {
    try (HttpConnection connection = agent.http()) {
      return connection.send("GET", "/metrics", headers).reply();
    }
  }

  private static Json json(AgentProcess agent) {
    return get(agent, Map.of()).json();
  }

  private static double decimal(Json json, String key) {
    return Double.parseDouble(((Json.Num) json.get(key)).text());
  }

  @Test
  void jsonHasTheFieldsAndUnitsOfE2b() throws IOException {
    HttpConnection.Reply reply = get(AGENT.get(), Map.of());

    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.header("content-type")).isEqualTo("application/json");
    assertThat(reply.header("cache-control")).isEqualTo("no-store");
    Json json = reply.json();
    assertThat(json.object().keySet())
        .containsExactly(
            "ts",
            "cpu_count",
            "cpu_used_pct",
            "mem_total",
            "mem_used",
            "mem_cache",
            "mem_total_mib",
            "mem_used_mib",
            "disk_used",
            "disk_total");
    assertThat(json.number("ts")).isCloseTo(Instant.now().getEpochSecond(), within(60L));
    assertThat(json.number("cpu_count"))
        .isBetween(1L, (long) Runtime.getRuntime().availableProcessors());
    assertThat(decimal(json, "cpu_used_pct")).isBetween(0.0, 100.0);
    assertThat(((Json.Num) json.get("cpu_used_pct")).text()).matches("\\d+(\\.\\d{1,2})?");
    assertThat(json.number("mem_total")).isBetween(64 * MIB, meminfo("MemTotal"));
    assertThat(json.number("mem_used")).isBetween(MIB, json.number("mem_total"));
    assertThat(json.number("mem_cache")).isBetween(0L, json.number("mem_total"));
    assertThat(json.number("mem_total_mib")).isEqualTo(json.number("mem_total") / MIB);
    assertThat(json.number("mem_used_mib")).isEqualTo(json.number("mem_used") / MIB);
    assertThat(json.number("disk_total")).isEqualTo(Path.of("/").toFile().getTotalSpace());
    assertThat(json.number("disk_used")).isBetween(1L, json.number("disk_total"));
  }

  private static long meminfo(String name) throws IOException {
    return Files.readAllLines(Path.of("/proc/meminfo")).stream()
        .filter(line -> line.startsWith(name + ":"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
        .findFirst()
        .orElseThrow();
  }

  @ParameterizedTest(name = "Accept: {0} gets {1}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          */*                                                        | application/json
          application/json                                           | application/json
          text/plain                                                 | text/plain; version=0.0.4; charset=utf-8
          text/plain;version=0.0.4;q=0.9,*/*;q=0.1                   | text/plain; version=0.0.4; charset=utf-8
          application/openmetrics-text;version=1.0.0,text/plain;q=.5 | application/openmetrics-text; version=1.0.0; charset=utf-8
          """)
  void acceptChoosesTheFormat(String accept, String type) {
    HttpConnection.Reply reply = get(AGENT.get(), Map.of("Accept", accept));
    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.header("content-type")).isEqualTo(type);
    assertThat(reply.header("vary")).containsIgnoringCase("accept");
  }

  @Test
  void onlyGetIsAnswered() {
    try (HttpConnection connection = AGENT.get().http()) {
      HttpConnection.Reply reply =
          connection.send("POST", "/metrics", Map.of(), new byte[0]).reply();
      assertThat(reply.status()).isEqualTo(405);
    }
  }

  @ParameterizedTest(name = "Prometheus reads {0}")
  @CsvSource({"text,text/plain", "openmetrics,application/openmetrics-text"})
  void prometheusOwnReaderReadsIt(String format, String accept) throws IOException {
    AGENT.get().json().run(Command.sh("echo \"one\"; echo two >&2; exit 1"));
    String text = get(AGENT.get(), Map.of("Accept", accept)).text();
    Path file = Files.writeString(directory.resolve("metrics"), text);

    Shell.Result result =
        Shell.run(PythonPackages.program("metrics_reader.py", format, file.toString()), 60)
            .requireSuccess();

    long families = text.lines().filter(line -> line.startsWith("# TYPE ")).count();
    assertThat(result.stdout().lines()).hasSize((int) families).doesNotContain("unknown");
    assertThat(result.stdout().lines())
        .contains("sandpiper_output_bytes counter 3", "sandpiper_processes_running gauge 1");
  }

  @Test
  void countersMoveByWhatHappened() {
    try (AgentProcess agent = AgentProcess.start()) {
      Scrape before = Scrape.of(agent);
      Processes processes = agent.json();
      processes.run(Command.sh("printf 'one\\ntwo\\n'; printf 'oops\\n' >&2").tag("a"));
      Follower terminal = processes.run(Command.sh("echo hello").pty(80, 24));
      try (Follower refused = processes.start(Command.of("no-such-command-anywhere"))) {
        assertThat(refused.error().code()).isEqualTo("not_found");
      }
      try (Follower late = processes.start(Command.sh("sleep 60").timeLimitMillis(100))) {
        assertThat(late.error().code()).isEqualTo("deadline_exceeded");
      }
      await("it is killed").until(() -> Scrape.of(agent).value("sandpiper_processes_running") == 0);
      try (Follower cat = processes.start(Command.of("cat").stdin())) {
        processes.sendStdin(cat.pid(), "0123456789");
        cat.await("stdout", "0123456789");
        Scrape during = Scrape.of(agent);
        assertThat(during.value("sandpiper_processes_running")).isEqualTo(1);
        assertThat(during.value("sandpiper_output_readers{kind=\"client\"}")).isEqualTo(1);
        assertThat(during.value("sandpiper_rpc_calls_in_flight{method=\"process.Process/Start\"}"))
            .isEqualTo(1);
        assertThat(during.value("sandpiper_http_requests_in_flight{route=\"rpc\"}")).isEqualTo(1);
        processes.kill(cat.pid());
        cat.end();
      }
      assertThatThrownBy(() -> processes.sendStdin(1, "x")).isInstanceOf(RpcException.class);
      agent.grpc().list();
      agent.binary().list();
      try (HttpConnection connection = agent.http()) {
        connection.send("GET", "/no/such/path", Map.of()).reply();
      }
      agent.records().awaitEnd("a");
      await("all records are counted")
          .until(() ->
              Scrape.of(agent).since(before, "sandpiper_output_records_total{stream=\"stdout\"}")
                  >= 3);
      Scrape after = Scrape.of(agent);

      Map<String, Double> grown = new TreeMap<>();
      for (String sample : after.values().keySet()) {
        double by = after.since(before, sample);
        if (by != 0 && sample.matches("sandpiper_(process|input|output_[brg]|rpc).*")) {
          grown.put(sample, by);
        }
      }
      String refused = "sandpiper_process_starts_refused_total{reason=\"command_not_found\"}";
      assertThat(grown)
          .containsExactlyInAnyOrderEntriesOf(
              Map.ofEntries(
                  Map.entry("sandpiper_processes_started_total", 4.0),
                  Map.entry("sandpiper_processes_ended_total{cause=\"exit\"}", 2.0),
                  Map.entry("sandpiper_processes_ended_total{cause=\"signal\"}", 1.0),
                  Map.entry("sandpiper_processes_ended_total{cause=\"time_limit\"}", 1.0),
                  Map.entry(refused, 1.0),
                  Map.entry("sandpiper_input_bytes_total", 10.0),
                  Map.entry("sandpiper_output_bytes_total{stream=\"stdout\"}", 18.0),
                  Map.entry("sandpiper_output_bytes_total{stream=\"stderr\"}", 5.0),
                  Map.entry(
                      "sandpiper_output_bytes_total{stream=\"pty\"}", (double) terminal.bytes()),
                  Map.entry("sandpiper_output_records_total{stream=\"stdout\"}", 3.0),
                  Map.entry("sandpiper_output_records_total{stream=\"stderr\"}", 1.0),
                  Map.entry(calls("Start", "ok"), 3.0),
                  Map.entry(calls("Start", "deadline_exceeded"), 1.0),
                  Map.entry(calls("Start", "not_found"), 1.0),
                  Map.entry(calls("SendInput", "ok"), 1.0),
                  Map.entry(calls("SendInput", "not_found"), 1.0),
                  Map.entry(calls("SendSignal", "ok"), 1.0),
                  Map.entry(calls("List", "ok"), 2.0),
                  Map.entry(
                      "sandpiper_rpc_calls_total{method=\"unknown\",code=\"unimplemented\"}",
                      1.0)));
      assertThat(after.value("sandpiper_rpc_calls_in_flight{method=\"process.Process/Start\"}"))
          .isZero();
      assertThat(after.since(before, "sandpiper_http_requests_total{route=\"rpc\",status=\"4xx\"}"))
          .as("an unknown process and an unknown path")
          .isEqualTo(2);
      assertThat(after.value("sandpiper_output_kept_bytes"))
          .isEqualTo(18 + 5 + (double) terminal.bytes());
      assertThat(after.value("sandpiper_records_written_bytes_total")).isGreaterThan(500);
    }
  }

  private static String calls(String method, String code) {
    return "sandpiper_rpc_calls_total{method=\"process.Process/%s\",code=\"%s\"}"
        .formatted(method, code);
  }

  @Test
  void clientsThatLeaveAreCounted() {
    try (AgentProcess agent = AgentProcess.start()) {
      try (Follower follower = agent.json().start(Command.sh("sleep 60"))) {
        follower.pid();
      }
      await("it is noticed").until(() -> Scrape.of(agent).value(calls("Start", "canceled")) == 1);
      Scrape after = Scrape.of(agent);
      assertThat(after.value("sandpiper_http_requests_in_flight{route=\"rpc\"}")).isZero();
      assertThat(after.value("sandpiper_output_readers{kind=\"client\"}")).isZero();
      assertThat(after.value("sandpiper_output_readers{kind=\"records\"}")).isEqualTo(1);
      assertThat(after.value("sandpiper_processes_running")).isEqualTo(1);
    }
  }

  @Test
  void aReaderThatFallsBehindIsSeenAndItsEndCounted() {
    try (AgentProcess agent =
        AgentProcess.builder()
            .flag("--output-retention", 4 * MIB)
            .flag("--stall-limit", "3s")
            .start()) {
      Numbers numbers = Numbers.ofAtLeast(16 << 20);
      try (Follower stuck = agent.binaryWithReceiveBuffer(16 * 1024).start(numbers.afterInput())) {
        int pid = stuck.pid();
        agent.json().sendStdin(pid, "\n");
        await("it is behind")
            .until(() ->
                Scrape.of(agent).value("sandpiper_output_readers_behind{kind=\"client\"}") == 1);
        assertThat(Scrape.of(agent).value("sandpiper_output_reader_lag_bytes{kind=\"client\"}"))
            .isGreaterThan(MIB);
        await("it is ended")
            .atMost(Deadline.PATIENCE)
            .until(() -> Scrape.of(agent).value("sandpiper_output_readers_stalled_total") == 1);
        await("the command is through")
            .atMost(Deadline.PATIENCE)
            .until(() -> Scrape.of(agent).value("sandpiper_processes_running") == 0);
        Scrape after = Scrape.of(agent);
        assertThat(after.value("sandpiper_output_holds_total")).isPositive();
        assertThat(after.value("sandpiper_output_bytes_total{stream=\"stdout\"}"))
            .isEqualTo((double) numbers.bytes());
        assertThat(
                after.value("sandpiper_output_removed_bytes_total")
                    + after.value("sandpiper_output_kept_bytes"))
            .isEqualTo((double) numbers.bytes());
      }
    }
  }

  private static HttpConnection.Reply post(
      AgentProcess agent, String path, String type, byte[] body) {
    try (HttpConnection connection = agent.http()) {
      return connection.send("POST", path, Map.of("Content-Type", type), body).reply();
    }
  }

  private static Json filesystem(AgentProcess agent, String method, String request) {
    return post(
            agent,
            "/filesystem.Filesystem/" + method,
            "application/json",
            request.getBytes(StandardCharsets.UTF_8))
        .json();
  }

  @Test
  void filesAndWatchesAreCounted(@TempDir Path directory) {
    try (AgentProcess agent = AgentProcess.start()) {
      String watcher =
          filesystem(agent, "CreateWatcher", "{\"path\":\"" + directory + "\"}")
              .string("watcherId");
      for (int bytes : new int[] {5, 300_000}) {
        String file = "/files?path=" + directory + "/f" + bytes;
        assertThat(post(agent, file, "application/octet-stream", new byte[bytes]).status())
            .isEqualTo(200);
        try (HttpConnection connection = agent.http()) {
          assertThat(connection.send("GET", file, Map.of(), new byte[0]).reply().body().size())
              .isEqualTo(bytes);
        }
      }
      await("both are told")
          .until(() -> Scrape.of(agent).value("sandpiper_watch_events_total") >= 2);
      Scrape after = Scrape.of(agent);
      assertThat(after.value("sandpiper_watchers")).isEqualTo(1);
      assertThat(after.value("sandpiper_watch_overflows_total")).isZero();
      assertThat(after.value("sandpiper_file_uploads_total")).isEqualTo(2);
      assertThat(after.value("sandpiper_file_uploaded_bytes_total")).isEqualTo(300_005);
      assertThat(after.value("sandpiper_file_downloads_total")).isEqualTo(2);
      assertThat(after.value("sandpiper_file_downloaded_bytes_total")).isEqualTo(300_005);
      var _ = filesystem(agent, "RemoveWatcher", "{\"watcherId\":\"" + watcher + "\"}");
      await("it is let go").until(() -> Scrape.of(agent).value("sandpiper_watchers") == 0);
    }
  }

  @Test
  void theAgentTellsOfItself() throws IOException {
    Scrape scrape = Scrape.of(AGENT.get());
    String status = Files.readString(Path.of("/proc/" + AGENT.get().pid() + "/status"));
    double resident =
        Double.parseDouble(status.replaceAll("(?s).*VmRSS:\\s*(\\d+) kB.*", "$1")) * 1024;
    assertThat(scrape.value("process_resident_memory_bytes"))
        .isCloseTo(resident, withinPercentage(30));
    assertThat(scrape.value("process_cpu_seconds_total")).isPositive();
    assertThat(scrape.value("process_open_fds")).isGreaterThan(5);
    assertThat(scrape.value("process_max_fds")).isGreaterThan(scrape.value("process_open_fds"));
    Instant started =
        ProcessHandle.of(AGENT.get().pid()).orElseThrow().info().startInstant().orElseThrow();
    assertThat(scrape.value("process_start_time_seconds"))
        .isCloseTo((double) started.getEpochSecond(), within(3.0));
    assertThat(scrape.value("sandpiper_startup_seconds")).isBetween(0.02, 30.0);
    assertThat(scrape.value("jvm_memory_used_bytes{area=\"heap\"}")).isGreaterThan(100_000);
    assertThat(scrape.text()).containsPattern("sandpiper_build_info\\{version=\"[0-9][^\"]+\"} 1");
  }

  @Test
  void theDocumentNamesEveryMetric() throws IOException {
    String document = Files.readString(Path.of("../docs/metrics.md"));
    Map<String, String> documented = new TreeMap<>();
    Pattern.compile("(?m)^\\| `([a-z_]+)`(?: by [^|]*)? \\| (counter|gauge) \\|")
        .matcher(document)
        .results()
        .forEach(row -> documented.put(row.group(1), row.group(2)));
    assertThat(documented).containsExactlyInAnyOrderEntriesOf(Scrape.of(AGENT.get()).types());
  }

  @Test
  void aControlGroupsLimitsCountInPlaceOfTheMachines() {
    try (LimitedGroup group = LimitedGroup.of(384 * MIB, 0.5);
        AgentProcess agent = AgentProcess.builder().via(group.enter()).start()) {
      Json first = json(agent);
      assertThat(first.number("mem_total")).isEqualTo(384 * MIB);
      assertThat(first.number("mem_used")).isBetween(10 * MIB, 384 * MIB);
      assertThat(first.number("cpu_count")).isEqualTo(1);
      try (Follower busy = agent.json().start(Command.sh("while :; do :; done"))) {
        busy.pid();
        await("the quota is used")
            .atMost(Deadline.PATIENCE)
            .until(() -> decimal(json(agent), "cpu_used_pct") > 15);
        Scrape scrape = Scrape.of(agent);
        assertThat(scrape.value("sandpiper_sandbox_cpus")).isEqualTo(0.5);
        assertThat(scrape.value("sandpiper_sandbox_memory_bytes")).isEqualTo(384.0 * MIB);
        assertThat(scrape.value("sandpiper_sandbox_cpu_seconds_total"))
            .as("its own, not the machine's")
            .isBetween(0.1, 600.0);
        agent.json().kill(busy.pid());
        busy.end();
      }
    }
  }
}
