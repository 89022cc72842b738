package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.Json;
import dev.sandpiper.tests.harness.ManagedProcesses;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.ServerSentEvents;
import dev.sandpiper.tests.harness.ServerSentEvents.Sent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `/v1/process`: the process manager over plain HTTP, and the known defects of the one whose shape it has.
final class ProcessRoutesIT {
  private static final int RETENTION_BYTES = 1 << 20;

  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  @RegisterExtension
  static final Agent FORGETFUL =
      Agent.with(builder -> builder.flag("--output-retention", RETENTION_BYTES));

  private static final String TIME = "\\[\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z\\] ";

  @TempDir Path directory;

  private static ManagedProcesses manager() {
    return new ManagedProcesses(AGENT.get());
  }

  private static List<Long> numbers(Stream<Sent> events) {
    return events
        .filter(sent -> sent.event().equals("message"))
        .map(sent -> Long.parseLong(sent.data()))
        .toList();
  }

  private static void assertProblem(HttpConnection.Reply reply, int status, String detail) {
    assertThat(reply.status()).as(reply.text()).isEqualTo(status);
    assertThat(reply.header("content-type")).isEqualTo("application/problem+json");
    Json problem = reply.json();
    assertThat(problem.object().keySet()).contains("type", "title", "status", "detail");
    assertThat(problem.number("status")).isEqualTo(status);
    assertThat(problem.string("detail")).contains(detail);
  }

  @Test
  void aProcessIsStartedListedAndForgotten() {
    long before = Instant.now().getEpochSecond();
    HttpConnection.Reply started =
        manager()
            .start(
                "{\"command\":\"sh\",\"args\":[\"-c\",\"echo $GREETING; pwd; cat; sleep 1; exit 3\"],"
                    + "\"cwd\":\"/usr\",\"env\":{\"GREETING\":\"hällo\"},\"unknown\":[1]}");
    assertThat(started.status()).as(started.text()).isEqualTo(201);
    Json answer = started.json();
    String id = answer.string("id");
    assertThat(started.header("location")).isEqualTo("/v1/process/" + id);
    assertThat(answer.string("status")).isEqualTo("running");
    assertThat(answer.get("logPaths").object().keySet())
        .containsExactlyInAnyOrder("stdout", "stderr", "combined");

    manager().awaitEnd(id);
    Json process = manager().get(id);
    assertThat(process.string("command")).isEqualTo("sh");
    assertThat(process.get("args").array()).hasSize(2);
    assertThat(process.string("status")).isEqualTo("stopped");
    assertThat(process.number("exitCode")).isEqualTo(3);
    assertThat(process.string("cwd")).isEqualTo("/usr");
    assertThat(process.number("startedAt")).isBetween(before, before + 60);
    assertThat(process.number("stoppedAt")).isBetween(before, before + 60);
    assertThat(manager().list()).anyMatch(process::equals);
    assertThat(manager().logs(id, "?strip_timestamps=true&stream=stdout").string("content"))
        .isEqualTo("hällo\n/usr");
    HttpConnection.Reply file =
        manager().send("GET", answer.get("logPaths").string("stdout").replace("/v1/process", ""));
    assertThat(file.text()).matches(TIME + "hällo\n" + TIME + "/usr\n");

    assertThat(manager().send("DELETE", "/" + id).status()).isEqualTo(204);
    assertProblem(manager().send("DELETE", "/" + id), 404, id);
    assertProblem(manager().send("GET", "/" + id), 404, id);
    assertProblem(manager().send("GET", "/" + id + "/logs"), 404, id);
    assertProblem(manager().send("GET", "/" + id + "/files/stdout.log"), 404, id);
    assertProblem(manager().send("POST", "/" + id + "/stop"), 404, id);
    assertProblem(manager().send("POST", "/" + id + "/kill"), 404, id);
  }

  @ParameterizedTest(name = "{0} is {1}")
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {"command":"/no/such"}             | 400 | /no/such
          {"command":"/etc/passwd"}          | 400 | /etc/passwd
          {"command":"true","cwd":"/no"}     | 400 | /no
          {"command":""}                     | 400 | command
          {"args":["x"]}                     | 400 | command
          {"command":7}                      | 400 | command
          {"command":"true","args":"x"}      | 400 | args
          {"command":"true","args":[1]}      | 400 | args
          {"command":"true","env":{"A":1}}   | 400 | env
          {"command":"true","env":{"A=":""}} | 400 | env
          {"command":"a\\u0000b"}            | 400 | NUL
          {"command":"true"                  | 400 | JSON
          []                                 | 400 | JSON object
          """)
  void aStartThatCannotBeDoneSaysWhy(String body, int status, String detail) {
    assertProblem(manager().start(body), status, detail);
  }

  @Test
  void onlyJsonStartsAProcess() {
    String body = "{\"command\":\"true\"}";
    assertProblem(
        manager().post("", body, Map.of("Content-Type", "text/plain")), 415, "application/json");
    assertThat(manager().post("", body, Map.of()).status()).isEqualTo(201);
    assertThat(
            manager()
                .post("", body, Map.of("Content-Type", "Application/JSON; charset=utf-8"))
                .status())
        .isEqualTo(201);
    assertThat(manager().send("PUT", "").header("allow")).isEqualTo("POST, GET");
    assertThat(manager().send("PUT", "/x").header("allow")).isEqualTo("GET, DELETE");
  }

  /// T-33.
  @Test
  void theNewestComesFirst() {
    List<String> started = IntStream.range(0, 12).mapToObj(_ -> manager().shell(":")).toList();
    List<String> listed =
        manager().list().stream()
            .map(process -> process.string("id"))
            .filter(started::contains)
            .toList();
    assertThat(listed).isEqualTo(started.reversed());
  }

  /// T-9.
  @Test
  void aNaturalExitSurvivesACrashOfTheAgent() {
    String id;
    Path state = directory.resolve("state");
    try (AgentProcess agent = AgentProcess.builder().stateDirectory(state).start()) {
      ManagedProcesses before = new ManagedProcesses(agent);
      id = before.shell("echo kept; exit 7");
      before.awaitEnd(id);
      agent.killHard();
    }
    try (AgentProcess agent = AgentProcess.builder().stateDirectory(state).start()) {
      ManagedProcesses after = new ManagedProcesses(agent);
      assertThat(after.get(id).string("status")).isEqualTo("stopped");
      assertThat(after.get(id).number("exitCode")).isEqualTo(7);
      assertThat(after.logs(id, "?stripTimestamps=true").string("content"))
          .isEqualTo("[stdout] kept");
    }
  }

  /// T-1.
  @Test
  void aFollowerSeesNoSeamAndTheExitComesLast() {
    String id = manager().shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo $i; done");
    List<Long> seen = new ArrayList<>();
    List<Sent> events;
    try (ServerSentEvents stream = manager().follow(id, "&stream=stdout&strip_timestamps=true")) {
      assertThat(stream.head().header("content-type")).isEqualTo("text/event-stream");
      Json history = Json.parse(stream.event().data());
      String content = history.string("content");
      content.lines().map(Long::valueOf).forEach(seen::add);
      assertThat(history.number("lines")).isEqualTo(seen.size());
      events = stream.rest();
    }
    seen.addAll(numbers(events.stream()));
    assertThat(seen).isEqualTo(IntStream.rangeClosed(1, 20_000).mapToObj(Long::valueOf).toList());
    Sent last = events.getLast();
    assertThat(last.event()).isEqualTo("exit");
    assertThat(Json.parse(last.data()).number("exitCode")).isZero();
    Measured.print("%d of 20000 lines were live", events.size() - 1);
    try (ServerSentEvents again = manager().follow(id, "", Map.of("Last-Event-ID", last.id()))) {
      assertThat(again.head().status()).as("a browser stays away").isEqualTo(204);
    }
  }

  ///
  @Test
  void liveLinesAreThoseOfTheStreamAndLookAsAskedFor() throws IOException {
    Path go = directory.resolve("go");
    String id =
        manager()
            .shell(
                "until [ -e "
                    + go
                    + " ]; do sleep 0.01; done; echo out; echo err >&2; printf last >&2");
    try (ServerSentEvents plain = manager().follow(id, "&stream=stderr&stripTimestamps=true");
        ServerSentEvents timed = manager().follow(id, "&stream=stderr");
        ServerSentEvents both = manager().follow(id, "")) {
      for (ServerSentEvents stream : List.of(plain, timed, both)) {
        assertThat(Json.parse(stream.event().data()).number("lines")).isZero();
      }
      Files.createFile(go);
      assertThat(plain.rest().stream().limit(2).map(Sent::data)).containsExactly("err", "last");
      assertThat(timed.event().data()).matches(TIME + "err");
      assertThat(both.event().data()).matches(TIME + "\\[stdout\\] out");
      assertThat(both.event().data()).matches(TIME + "\\[stderr\\] err");
      assertThat(both.event().data()).matches(TIME + "\\[stderr\\] last");
    }
  }

  /// R-4, T-2.
  @Test
  void aReaderThatSleepsIsToldExactlyWhatItHasMissed() throws IOException {
    ManagedProcesses forgetful = new ManagedProcesses(FORGETFUL.get());
    Path go = directory.resolve("go");
    String id =
        forgetful.shell(
            "until [ -e " + go + " ]; do sleep 0.01; done; exec seq -f %099.0f 1 100000");
    try (HttpConnection connection = HttpConnection.to(FORGETFUL.get().port(), 16 * 1024);
        ServerSentEvents stream =
            ServerSentEvents.get(
                connection,
                "/v1/process/" + id + "/logs?follow=true&stream=stdout&strip_timestamps=true")) {
      stream.event();
      long started = System.nanoTime();
      Files.createFile(go);
      await()
          .atMost(20, TimeUnit.SECONDS)
          .until(() -> forgetful.get(id).string("status").equals("stopped"));
      Measured.print(
          "100000 lines past a sleeping follower: %.1f s",
          Measured.seconds(Measured.since(started)));

      long at = 0;
      long gone = 0;
      for (Sent sent : stream.rest()) {
        // Lines have 99 characters; what a gap cuts is a line without its end, unless it cuts
        // there.
        boolean lineEnd = at % 100 == 99;
        if (sent.event().equals("gap")) {
          Json gap = Json.parse(sent.data());
          assertThat(gap.string("stream")).isEqualTo("stdout");
          assertThat(gap.number("start")).isIn(at, lineEnd ? at + 1 : at);
          gone += gap.number("end") - gap.number("start");
          at = gap.number("end");
        } else {
          at += lineEnd ? 1 : 0;
          at += sent.event().equals("message") ? sent.data().length() : 0;
        }
      }
      assertThat(gone).isPositive();
      assertThat(at).isEqualTo(100_000L * 100);
    }
    Json rest = forgetful.logs(id, "?stream=stdout&strip_timestamps=true");
    assertThat(rest.get("gaps").array()).hasSize(1);
    HttpConnection.Reply file = forgetful.send("GET", "/" + id + "/files/stdout.log");
    assertThat(Long.parseLong(file.header("sandpiper-removed-bytes")))
        .isEqualTo(rest.get("gaps").array().getFirst().number("end"));
    assertThat(file.text()).endsWith("0100000\n");
  }

  /// T-6.
  @Test
  void stopIsARequestAndKillReachesTheChildren() {
    String id =
        manager()
            .shell(
                "trap 'echo ignored' TERM; sleep 1000 & echo $!; (trap '' TERM; sleep 1001) & echo $!; "
                    + "(setsid sh -c 'trap : TERM; echo $$; sleep 1002' &); "
                    + "echo ready; while :; do wait; done");
    List<Long> children;
    try (ServerSentEvents stream = manager().follow(id, "&stream=stdout&strip_timestamps=true")) {
      List<String> seen =
          new ArrayList<>(Json.parse(stream.event().data()).string("content").lines().toList());
      while (seen.size() < 4) {
        seen.add(stream.event().data());
      }
      seen.remove("ready");
      children = seen.stream().map(Long::valueOf).toList();

      assertThat(manager().send("POST", "/" + id + "/stop").status()).isEqualTo(204);
      assertThat(stream.event().data()).isEqualTo("ignored");
      assertThat(manager().get(id).string("status")).isEqualTo("running");
      assertProblem(manager().send("DELETE", "/" + id), 400, "has not ended");

      assertThat(manager().send("POST", "/" + id + "/kill").status()).isEqualTo(204);
      Json killed = manager().get(id);
      assertThat(killed.string("status")).isEqualTo("killed");
      assertThat(killed.has("exitCode")).isFalse();
      assertThat(killed.string("cause")).isEqualTo("signal");
      assertThat(children).noneMatch(ProcFs::runs);
      assertThat(stream.rest().getLast().event()).isEqualTo("exit");
    }
    assertThat(manager().send("POST", "/" + id + "/stop").status()).isEqualTo(204);
    assertThat(manager().send("POST", "/" + id + "/kill").status()).isEqualTo(204);
  }

  @Test
  void aStopThatIsHeededEndsItWithoutAnExitCode() {
    String id = manager().shell("echo up; exec sleep 1000");
    assertThat(manager().send("POST", "/" + id + "/stop").status()).isEqualTo(204);
    Json ended = manager().awaitEnd(id);
    assertThat(ended.string("status")).isEqualTo("stopped");
    assertThat(ended.has("exitCode")).isFalse();
    assertThat(ended.number("signal")).isEqualTo(15);
  }

  ///
  @Test
  void linesThatAreNotUtf8DoNotStopTheLog() {
    String id = manager().shell("printf 'a\\377b\\n'; printf '\\303'; printf '\\244\\n'; echo c");
    manager().awaitEnd(id);
    assertThat(manager().logs(id, "?stream=stdout&strip_timestamps=true").string("content"))
        .isEqualTo("a\ufffdb\nä\nc");
  }

  ///
  @Test
  void aLongLogIsSentInLittleMemory() throws Exception {
    String id = manager().shell("exec seq -f %0999.0f 1 20000");
    manager().awaitEnd(id);
    long before = ProcFs.residentBytes(AGENT.get().pid());
    ProcFs.resetPeak(AGENT.get().pid());
    long started = System.nanoTime();
    assertThat(manager().logs(id, "").number("lines")).isEqualTo(20_000);
    assertThat(manager().send("GET", "/" + id + "/files/combined.log").body().size())
        .isEqualTo(20_000 * (1000 + "[2026-11-21T18:16:47.455687Z] [stdout] ".length()));
    long grown = ProcFs.peakResidentBytes(AGENT.get().pid()) - before;
    Measured.print(
        "20 MiB of log, as JSON and as a file: %.2f s, %d MiB more memory",
        Measured.seconds(Measured.since(started)), grown >> 20);
    assertThat(grown).isLessThan(32L << 20);
    started = System.nanoTime();
    assertThat(manager().logs(id, "?tail=3").number("lines")).isEqualTo(3);
    Measured.print("its last 3 lines: %.1f ms", Measured.seconds(Measured.since(started)) * 1000);
  }

  /// R-10, T-4.
  @Test
  void aBackgroundChildDelaysNoExitAndLosesNoLine() throws IOException {
    Path go = directory.resolve("go");
    String id =
        manager()
            .shell(
                "(until [ -e " + go + " ]; do sleep 0.01; done; echo late) & printf 'now\\nrest'");
    Json ended = manager().awaitEnd(id);
    assertThat(ended.number("exitCode")).isZero();
    String asked = "?stream=stdout&strip_timestamps=true";
    assertThat(manager().logs(id, asked).string("content")).isEqualTo("now\nrest");
    Files.createFile(go);
    await()
        .atMost(20, TimeUnit.SECONDS)
        .untilAsserted(() ->
            assertThat(manager().logs(id, asked).string("content")).isEqualTo("now\nrest\nlate"));
    assertThat(manager().logs(id, asked + "&tail=2").string("content")).isEqualTo("rest\nlate");
    try (ServerSentEvents stream =
        manager().follow(id, "&stream=stdout&strip_timestamps=true&tail=2")) {
      assertThat(Json.parse(stream.event().data()).string("content")).isEqualTo("now\nrest");
      assertThat(stream.event().event()).isEqualTo("exit");
    }
  }

  /// T-38, T-18.
  @Test
  void aFollowerThatComesBackGoesOnExactlyWhereItWas() {
    String longLine = "x".repeat(700_000);
    String id =
        manager()
            .shell(
                "for i in 1 2 3 4 5; do echo o$i; echo e$i >&2; printf part; done; "
                    + "head -c 700000 /dev/zero | tr '\\0' x; echo; printf end");
    manager().awaitEnd(id);
    String beginning = null;
    try (ServerSentEvents stream = manager().follow(id, "&tail=0")) {
      beginning = stream.event().id().replaceAll("\\.([oe])\\d+", ".$10");
    }
    List<Sent> all;
    try (ServerSentEvents stream =
        manager().follow(id, "&strip_timestamps=true", Map.of("Last-Event-ID", beginning))) {
      all = stream.rest();
    }
    assertThat(all.stream().map(sent -> sent.data().replaceFirst("^\\[stdout] ", "")))
        .as("the long line came in parts")
        .filteredOn(data -> data.matches("(part)?x+"))
        .hasSize(3)
        .satisfies(parts -> assertThat(String.join("", parts)).isEqualTo("part" + longLine));
    assertThat(all.stream().map(Sent::id)).doesNotHaveDuplicates();
    for (int i = 0; i < all.size() - 1; i++) {
      try (ServerSentEvents stream =
          manager()
              .follow(id, "&strip_timestamps=true", Map.of("Last-Event-ID", all.get(i).id()))) {
        assertThat(stream.rest())
            .as("after " + all.get(i).id())
            .isEqualTo(all.subList(i + 1, all.size()));
      }
    }

    String check = beginning.substring(0, beginning.indexOf('.'));
    for (String bad :
        List.of(
            "7",
            "x.o0.e0",
            check,
            check + ".o0",
            check + ".o0.e0.t0",
            check + ".o99999999.e0",
            check + ".o-1.e0",
            check + ".o0.o0.e0",
            check + ".o0p-1.e0")) {
      assertProblem(
          manager().send("GET", "/" + id + "/logs?follow=true", Map.of("Last-Event-ID", bad)),
          400,
          "Last-Event-ID");
    }
  }

  /// T-17.
  @ParameterizedTest(name = "{0} is a mistake of {1}")
  @CsvSource({
    "tail=-1,tail",
    "tail=,tail",
    "tail=x,tail",
    "tail=1.5,tail",
    "tail=1&tail=2,tail",
    "tail=99999999999999999999,tail",
    "stream=other,stream",
    "stream=,stream",
    "stream=STDOUT,stream",
    "follow=1,follow",
    "follow,follow",
    "strip_timestamps=yes,strip_timestamps",
    "strip_timestamps=true&stripTimestamps=true,stripTimestamps",
    "stripTimestamps=%zz,stripTimestamps"
  })
  void whatCannotBeMeantIsRefusedByName(String query, String parameter) {
    String id = manager().shell("echo x");
    HttpConnection.Reply reply = manager().send("GET", "/" + id + "/logs?" + query);
    assertProblem(reply, 400, parameter);
    assertThat(reply.json().string("parameter")).isEqualTo(parameter);
  }

  @Test
  void theLastLinesAreCountedOverBothStreams() {
    String id =
        manager().shell("for i in 1 2 3; do echo o$i; sleep 0.02; echo e$i >&2; sleep 0.02; done");
    manager().awaitEnd(id);
    for (int tail = 0; tail < 9; tail++) {
      Json logs = manager().logs(id, "?strip_timestamps=true&tail=" + tail);
      List<String> wanted =
          Stream.of(
                  "[stdout] o1",
                  "[stderr] e1",
                  "[stdout] o2",
                  "[stderr] e2",
                  "[stdout] o3",
                  "[stderr] e3")
              .skip(Math.max(0, 6 - tail))
              .toList();
      assertThat(logs.string("content")).as("tail %d", tail).isEqualTo(String.join("\n", wanted));
      assertThat(logs.number("lines")).isEqualTo(wanted.size());
    }
    assertThat(manager().logs(id, "?stream=stderr&strip_timestamps=true&tail=2").string("content"))
        .isEqualTo("e2\ne3");
    assertThat(manager().logs(id, "?stream=pty").string("content")).isEmpty();
  }

  @Test
  void filesHoldTheirStreamsLineByLine() {
    String id = manager().shell("printf 'a\\r\\n\\n'; echo b >&2; printf c");
    manager().awaitEnd(id);
    HttpConnection.Reply combined = manager().send("GET", "/" + id + "/files/combined.log");
    assertThat(combined.header("content-type")).isEqualTo("text/plain; charset=utf-8");
    List<String> lines = combined.text().lines().toList();
    assertThat(lines).hasSize(4).allMatch(line -> line.matches(TIME + "\\[(stdout|stderr)] .*"));
    assertThat(lines.stream().map(line -> line.replaceFirst(TIME, "")))
        .containsExactlyInAnyOrder("[stdout] a", "[stdout] ", "[stderr] b", "[stdout] c");
    assertThat(manager().send("GET", "/" + id + "/files/stdout.log").text())
        .matches(TIME + "a\n" + TIME + "\n" + TIME + "c\n");
    assertThat(manager().send("GET", "/" + id + "/files/stderr.log").text()).matches(TIME + "b\n");
    assertThat(manager().logs(id, "").string("content")).isEqualTo(combined.text());
    assertThat(manager().send("GET", "/" + id + "/files/other.log").status()).isEqualTo(404);
  }

  @Test
  void aSilentFollowerHearsThatTheStreamLives() throws IOException {
    Path go = directory.resolve("go");
    String id =
        manager().shell("until [ -e " + go + " ]; do sleep 0.05; done; sleep 1.5; echo done");
    try (ServerSentEvents stream =
        manager().follow(id, "", Map.of("Keepalive-Ping-Interval", "1"))) {
      stream.event();
      Files.createFile(go);
      stream.rest();
      assertThat(stream.comments()).isPositive();
    }
  }

  @Test
  void whatE2bStartsIsSeenReadAndKilledHere() {
    try (Follower run =
        AGENT.get().json().start(Command.sh("echo from e2b; exec sleep 1000").tag("e2b"))) {
      run.await("stdout", "from e2b\n");
      Json process =
          manager().list().stream()
              .filter(each -> each.number("pid") == run.pid())
              .findFirst()
              .orElseThrow();
      assertThat(process.string("tag")).isEqualTo("e2b");
      String id = process.string("id");
      assertThat(manager().logs(id, "?strip_timestamps=true").string("content"))
          .isEqualTo("[stdout] from e2b");
      assertThat(manager().send("POST", "/" + id + "/kill").status()).isEqualTo(204);
      assertThat(run.end().status()).isEqualTo("signal: killed");
      assertThat(manager().get(id).string("status")).isEqualTo("killed");
    }
  }

  @Test
  void whatStartsHereIsSeenReadAndKilledByE2b() {
    String id = manager().shell("echo from http; exec sleep 1000");
    int pid = Math.toIntExact(manager().get(id).number("pid"));
    assertThat(AGENT.get().json().listed(pid)).isPresent();
    try (Follower run = AGENT.get().binary().connect(pid)) {
      AGENT.get().json().kill(pid);
      assertThat(run.end().status()).isEqualTo("signal: killed");
    }
    assertThat(manager().awaitEnd(id).string("status")).isEqualTo("killed");
  }

  @Test
  void aTerminalsOutputIsAStreamOfItsOwn() {
    try (Follower run = AGENT.get().json().start(Command.sh("echo tty").pty(80, 24))) {
      run.end();
      String id =
          manager().list().stream()
              .filter(each -> each.number("pid") == run.pid())
              .map(each -> each.string("id"))
              .findFirst()
              .orElseThrow();
      assertThat(manager().logs(id, "?strip_timestamps=true").string("content"))
          .isEqualTo("[pty] tty");
      assertThat(manager().logs(id, "?stream=stdout").number("lines")).isZero();
    }
  }

  @Test
  void theAccessTokenIsAskedForHereToo() {
    try (AgentProcess agent =
        AgentProcess.builder().environment("SANDPIPER_ACCESS_TOKEN", "secret").start()) {
      ManagedProcesses closed = new ManagedProcesses(agent);
      for (String path : Arrays.asList("", "/x", "/x/logs", "/x/files/stdout.log")) {
        assertThat(closed.send("GET", path).status()).as(path).isEqualTo(401);
      }
      assertThat(closed.send("GET", "", Map.of("X-Access-Token", "secret")).status())
          .isEqualTo(200);
    }
  }
}
