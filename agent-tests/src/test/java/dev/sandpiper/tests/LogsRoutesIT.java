package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.Json;
import dev.sandpiper.tests.harness.LogsClient;
import dev.sandpiper.tests.harness.ManagedProcesses;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.ServerSentEvents;
import dev.sandpiper.tests.harness.ServerSentEvents.Sent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The log of the whole sandbox over plain HTTP, in all its forms, and the known defects of two services that have the like.
final class LogsRoutesIT {
  private static final String SANDBOX = "sandbox-1";

  /// As many queries as may be open at once.
  private static final int MOST_READERS = 64;

  @RegisterExtension
  static final Agent AGENT = Agent.with(builder -> builder.flag("--sandbox-id", SANDBOX));

  @TempDir Path directory;

  private static LogsClient logs() {
    return new LogsClient(AGENT.get());
  }

  private static ManagedProcesses manager() {
    return new ManagedProcesses(AGENT.get());
  }

  /// Runs a script to its end and gives the id of its process.
  private static String ran(String script) {
    String id = manager().shell(script);
    manager().awaitEnd(id);
    return id;
  }

  private static List<String> numbers(int from, int to) {
    return IntStream.rangeClosed(from, to).mapToObj(Integer::toString).toList();
  }

  private static List<String> messages(List<Json> entries) {
    return entries.stream().map(entry -> entry.string("message")).toList();
  }

  /// A script that waits until the test makes this file.
  private String waits(String name) {
    return "while ! [ -e " + directory.resolve(name) + " ]; do sleep 0.02; done; ";
  }

  private void release(String name) throws IOException {
    Files.createFile(directory.resolve(name));
  }

  @ParameterizedTest
  @ValueSource(strings = {"/logs", "/sandboxes/" + SANDBOX + "/logs"})
  void plainTextIsWhatWasPrinted(String route) {
    String id = ran("echo first; printf 'h\\303\\244lf'");

    HttpConnection.Reply reply = logs().get(route + "?id=" + id);
    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.header("content-type")).isEqualTo("text/plain; charset=utf-8");
    assertThat(reply.header("cache-control")).isEqualTo("no-store");
    assertThat(reply.text()).isEqualTo("first\nhälf\n");
    assertThat(logs().lines("timestamps=true&id=" + id))
        .hasSize(2)
        .allMatch(line ->
            line.matches("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z (first|hälf)"));
    assertThat(logs().lines("id=" + id + "&event_type=any")).hasSize(4);
  }

  @Test
  void objectsTellLivesAndWhereToGoOn() {
    String id = ran("echo out; echo err >&2; exit 3");
    HttpConnection.Reply reply =
        logs().get("/logs?id=" + id, Map.of("Accept", "application/x-ndjson"));
    assertThat(reply.header("content-type")).isEqualTo("application/x-ndjson; charset=utf-8");

    List<Json> all = reply.text().lines().map(Json::parse).toList();
    assertThat(all.stream().map(it -> it.string("event_type")))
        .containsExactly("process_start", "process_output", "process_output", "process_end", "end");
    Json end = all.getLast();
    assertThat(end.get("more")).isEqualTo(new Json.Bool(false));
    assertThat(end.string("cursor")).isEqualTo(all.get(3).string("cursor"));
    for (Json entry : all.subList(0, 4)) {
      assertThat(entry.string("process_id")).isEqualTo(id);
      assertThat(entry.string("level")).isEqualTo("INFO");
      assertThat(Instant.parse(entry.string("@timestamp"))).isBefore(Instant.now());
    }
    assertThat(all.get(3).toString()).contains("exit status 3");
    assertThat(messages(logs().objects("id=" + id + "&stream=stderr"))).containsExactly("err");
    assertThat(logs().objects("id=" + id + "&cursor=" + end.string("cursor"))).isEmpty();
  }

  @Test
  void aFollowerGetsHistoryNewsAndAClearEnd() throws IOException {
    String id = manager().shell("echo one; " + waits("go") + "echo two");
    try (ServerSentEvents events = logs().events("follow=true&id=" + id)) {
      assertThat(Json.parse(events.event().data()).string("event_type")).isEqualTo("process_start");
      assertThat(Json.parse(events.event().data()).string("message")).isEqualTo("one");
      release("go");
      List<Sent> rest = events.rest();
      assertThat(rest.stream().map(Sent::event)).containsExactly("log", "log", "end");
      assertThat(Json.parse(rest.getFirst().data()).string("message")).isEqualTo("two");
      assertThat(Json.parse(rest.get(1).data()).string("event_type")).isEqualTo("process_end");
      assertThat(Json.parse(rest.getLast().data()).string("cursor")).isEqualTo(rest.get(1).id());
    }
    // A finished process: the same, at once, in every form.
    assertThat(logs().lines("follow=true&id=" + id)).containsExactly("one", "two");
    assertThat(logs().lines("follow=true&tail=1&id=" + id)).containsExactly("two");
    assertThat(logs().objects("follow=true&id=" + id)).hasSize(4);
    try (ServerSentEvents events = logs().events("follow=true&id=" + id)) {
      assertThat(events.rest()).hasSize(5);
    }
  }

  @Test
  void aFollowerOfTheSandboxSeesProcessesThatStartLater() {
    String mark = "later-" + System.nanoTime();
    try (ServerSentEvents events =
        logs().events("follow=true&event_type=process_output&search=" + mark)) {
      for (int i = 0; i < 3; i++) {
        ran("echo " + mark + "-" + i);
        assertThat(Json.parse(events.event().data()).string("message")).isEqualTo(mark + "-" + i);
      }
    }
  }

  @Test
  void T31_whoComesBackWithTheLastIdMissesAndRepeatsNothing() {
    String id = ran("seq 1 30");
    List<Sent> all;
    try (ServerSentEvents events = logs().events("event_type=process_output&id=" + id)) {
      assertThat(events.head().header("content-type")).isEqualTo("text/event-stream");
      all = events.rest();
    }
    assertThat(all).hasSize(31);
    assertThat(all.getLast().event()).isEqualTo("end");
    for (int i = 0; i < 30; i++) {
      try (ServerSentEvents events =
          logs()
              .events(
                  "follow=true&tail=5&event_type=process_output&id=" + id,
                  Map.of("Last-Event-ID", all.get(i).id()))) {
        List<Sent> rest = events.rest();
        assertThat(rest.subList(0, rest.size() - 1)).isEqualTo(all.subList(i + 1, 30));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"forward", "backward"})
  void T25_pagesOfSevenAreAllThereIs(String direction) {
    String tag = "pages-" + direction;
    List<Follower> writers = new ArrayList<>();
    Processes processes = AGENT.get().processes();
    for (int i = 0; i < 4; i++) {
      writers.add(processes.start(Command.sh("seq -f " + i + "-%g 1 100; seq 1 20 >&2").tag(tag)));
    }
    writers.forEach(writer -> {
      writer.end();
      writer.close();
    });
    List<Json> all = logs().objects("tag=" + tag);
    assertThat(all).hasSize(4 * 122);
    for (int i = 0; i < 4; i++) {
      String prefix = i + "-";
      assertThat(messages(all).stream().filter(it -> it.startsWith(prefix)))
          .as("each once, as printed")
          .containsExactlyElementsOf(numbers(1, 100).stream().map(it -> prefix + it).toList());
    }

    List<Json> paged = new ArrayList<>();
    String cursor = "";
    boolean more = true;
    while (more) {
      List<Json> page = logs().raw("limit=7&direction=" + direction + "&tag=" + tag + cursor);
      Json end = page.removeLast();
      paged.addAll(page);
      more = !page.isEmpty();
      cursor = more ? "&cursor=" + end.string("cursor") : "";
    }
    assertThat(paged).isEqualTo(direction.equals("forward") ? all : all.reversed());
  }

  @Test
  void filtersNarrow() {
    String tag = "filters-" + System.nanoTime();
    int pid;
    Processes processes = AGENT.get().processes();
    try (Follower follower =
        processes.start(Command.sh("seq 1 20; echo 'a+b' >&2; echo ABC >&2; echo").tag(tag))) {
      pid = follower.pid();
      follower.end();
    }
    List<Json> all = logs().objects("tag=" + tag);
    assertThat(all).hasSize(25);
    assertThat(logs().objects("pid=" + pid)).isEqualTo(all);
    assertThat(logs().objects("pid=" + pid + "&tag=another")).isEmpty();
    String of = "event_type=process_output&pid=" + pid;
    assertThat(logs().lines(of)).as("blank lines are lines").contains("").hasSize(23);
    assertThat(logs().lines(of + "&stream=stderr")).containsExactly("a+b", "ABC");
    assertThat(logs().lines(of + "&stream=pty")).isEmpty();
    assertThat(logs().lines(of + "&search=a%2Bb")).containsExactly("a+b");
    assertThat(logs().lines(of + "&search=abc")).isEmpty();
    assertThat(logs().lines(of + "&regex=%5E1%5Cd%24")).isEqualTo(numbers(10, 19));
    assertThat(logs().lines(of + "&stream=stdout&limit=3")).isEqualTo(numbers(1, 3));
    assertThat(logs().lines(of + "&stream=stdout&limit=3&direction=backward"))
        .containsExactly("", "20", "19");
    assertThat(logs().lines(of + "&stream=stdout&tail=2")).containsExactly("20", "");
    assertThat(logs().objects("event_type=process_end&pid=" + pid)).containsExactly(all.getLast());
    String start = all.getFirst().string("@timestamp");
    String end = all.getLast().string("@timestamp");
    assertThat(logs().objects("tag=" + tag + "&start=" + start)).isEqualTo(all);
    assertThat(logs().objects("tag=" + tag + "&end=" + end))
        .isEqualTo(all.stream().filter(it -> !it.string("@timestamp").equals(end)).toList());
    assertThat(logs().objects("tag=" + tag + "&end=" + start)).isEmpty();
    assertThat(logs().objects("tag=" + tag + "&start=" + (Instant.parse(end).toEpochMilli() + 1)))
        .isEmpty();
  }

  @Test
  void T29_aLevelHidesNoOutputOfAProcessThatIsNamed() {
    String mark = "level-" + System.nanoTime();
    String id = ran("echo " + mark);
    assertThat(logs().lines("level=error&event_type=process_output&id=" + id))
        .containsExactly(mark);
    assertThat(logs().lines("level=info&event_type=process_output&search=" + mark))
        .containsExactly(mark);
    assertThat(logs().lines("level=warn&event_type=any&search=" + mark)).isEmpty();
  }

  @Test
  void linesOfTwoProcessesNeverMix() {
    String tag = "mix-" + System.nanoTime();
    Processes processes = AGENT.get().processes();
    try (Follower a = processes.start(Command.sh("printf aaa; read x; echo aaa").stdin().tag(tag));
        Follower b =
            processes.start(Command.sh("printf bbb; read x; printf bbb").stdin().tag(tag));
        ServerSentEvents events =
            logs().events("follow=true&event_type=process_output&tag=" + tag)) {
      a.await("stdout", "aaa");
      b.await("stdout", "bbb");
      processes.sendStdin(b.pid(), "\n");
      b.end();
      processes.sendStdin(a.pid(), "\n");
      a.end();
      assertThat(Json.parse(events.event().data()).string("message")).isEqualTo("bbbbbb");
      assertThat(Json.parse(events.event().data()).string("message")).isEqualTo("aaaaaa");
    }
    assertThat(logs().lines("tag=" + tag)).containsExactly("bbbbbb", "aaaaaa");
  }

  @Test
  void anEmptyLogIsAnEmptyAnswer() {
    String id = ran(":");
    HttpConnection.Reply reply = logs().get("/logs?id=" + id);
    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.text()).isEmpty();
    assertThat(logs().get("/logs?search=%20nobody%20says%20this%20" + id).text()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "tail=0, tail",
    "tail=-1, tail",
    "tail=x, tail",
    "limit=0, limit",
    "limit=1e3, limit",
    "pid=0, pid",
    "pid=x, pid",
    "pid=4294967297, pid",
    "stream=stdin, stream",
    "level=loud, level",
    "event_type=x, event_type",
    "start=yesterday, start",
    "end=2026-13-01T00:00:00Z, end",
    "start=2&end=1, start",
    "regex=%28, regex",
    "direction=up, direction",
    "direction=backward&follow=true, follow",
    "direction=backward&tail=1, tail",
    "follow=perhaps, follow",
    "timestamps=2, timestamps",
    "cursor=abc, cursor",
    "since=1, since",
    "Tail=1, Tail",
  })
  void T17_whatMakesNoSenseIs422AndNamed(String query, String name) {
    for (String accept : List.of("text/plain", "application/x-ndjson", "text/event-stream")) {
      HttpConnection.Reply reply = logs().get("/logs?" + query, Map.of("Accept", accept));
      assertThat(reply.status()).as(reply.text()).isEqualTo(422);
      assertThat(reply.json().number("code")).isEqualTo(422);
      assertThat(reply.json().string("message")).contains(name);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/sandboxes/another/logs?follow=true",
        "/v2/sandboxes/another/logs",
        "/sandboxes/another",
        "/logs?id=p0&follow=true"
      })
  void whatIsNotHereIs404(String path) {
    HttpConnection.Reply reply = logs().get(path);
    assertThat(reply.status()).as(reply.text()).isEqualTo(404);
    assertThat(reply.json().number("code")).isEqualTo(404);
  }

  @Test
  void T32_anIdleFollowerHearsThatTheStreamLives() {
    Map<String, String> everySecond = Map.of("Keepalive-Ping-Interval", "1");
    String id = manager().shell("echo x; exec sleep 2.5");
    List<Json> all;
    try (ServerSentEvents events = logs().events("follow=true&id=" + id, everySecond)) {
      all = logs().raw("follow=true&id=" + id, everySecond);
      events.rest();
      assertThat(events.comments()).isBetween(1, 3);
    }
    List<Json> heartbeats =
        all.stream().filter(it -> it.string("event_type").equals("heartbeat")).toList();
    assertThat(heartbeats).hasSizeBetween(1, 3);
    assertThat(heartbeats.getFirst().string("cursor"))
        .as("where it stands")
        .isEqualTo(all.get(1).string("cursor"));
  }

  @Test
  void T16_aFollowerThatLeavesLeavesNothingBehind() {
    for (int round = 0; round < 3; round++) {
      List<ServerSentEvents> followers = new ArrayList<>();
      await()
          .until(() -> {
            ServerSentEvents events = logs().events("follow=true");
            while (events.head().status() == 200) {
              followers.add(events);
              events = logs().events("follow=true");
            }
            assertThat(events.head().status()).isEqualTo(429);
            assertThat(events.head().header("retry-after")).isEqualTo("1");
            events.close();
            // Those of the round before may still be on their way out.
            return followers.size() >= MOST_READERS;
          });
      assertThat(followers.size()).as("none has ended by itself").isEqualTo(MOST_READERS);
      Collections.shuffle(followers);
      followers.forEach(ServerSentEvents::close);
    }
    await().until(() -> logs().get("/logs?limit=1").status() == 200);
  }

  @Test
  void T34_aPidUsedAgainIsTheProcessThatTimeOrIdNames() throws IOException {
    Path lastPid = Path.of("/proc/sys/kernel/ns_last_pid");
    assumeTrue(Files.isWritable(lastPid), "needs the right to choose pids");
    Processes processes = AGENT.get().processes();
    int pid;
    try (Follower first = processes.start(Command.sh("echo first"))) {
      pid = first.pid();
      first.end();
    }
    boolean again = false;
    for (int attempt = 0; attempt < 100 && !again; attempt++) {
      Files.writeString(lastPid, Integer.toString(pid - 1));
      try (Follower second = processes.start(Command.sh("echo second"))) {
        again = second.pid() == pid;
        second.end();
      }
    }
    assumeTrue(again, "the kernel gave the pid to somebody else");

    List<Json> second = logs().objects("pid=" + pid);
    assertThat(messages(second)).contains("second").doesNotContain("first");
    String between = second.getFirst().string("@timestamp");
    List<Json> first = logs().objects("pid=" + pid + "&end=" + between);
    assertThat(messages(first)).contains("first").doesNotContain("second");
    assertThat(logs().objects("pid=" + pid + "&start=" + first.getFirst().string("@timestamp")))
        .as("both lived in this time, and each entry says whose it is")
        .hasSize(6);
    assertThat(logs().objects("id=" + first.getFirst().string("process_id"))).isEqualTo(first);
  }
}
