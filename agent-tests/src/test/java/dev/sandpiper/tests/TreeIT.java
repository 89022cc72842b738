package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.proto.v1.GetRequest;
import dev.sandpiper.proto.v1.ProcessesGrpc;
import dev.sandpiper.proto.v1.Scope;
import dev.sandpiper.proto.v1.StopRequest;
import dev.sandpiper.proto.v1.StopResponse;
import dev.sandpiper.proto.v1.Survivor;
import dev.sandpiper.proto.v1.TreeMember;
import dev.sandpiper.proto.v1.TreeOutcome;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.Native;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Stop with the scope of the whole tree: everything that a command started is killed, or named as a survivor.
final class TreeIT {
  private static final String DAEMON =
      "setsid sh -c 'sleep 1000 & echo $! > daemon' > /dev/null 2>&1; ";

  @TempDir Path dir;
  private AgentProcess agent;
  private Native processes;

  @BeforeEach
  void start() {
    agent = AgentProcess.start();
    processes = new Native(agent.processes().rpc());
  }

  @AfterEach
  void stop() throws IOException {
    if (!Files.exists(dir.resolve("stop"))) {
      Files.createFile(dir.resolve("stop")); // for the loops
    }
    agent.close();
    for (Path note : notes()) {
      ProcessHandle.of(pid(note.getFileName().toString()))
          .ifPresent(ProcessHandle::destroyForcibly);
    }
  }

  private List<Path> notes() throws IOException {
    try (java.util.stream.Stream<Path> all = Files.list(dir)) {
      return all.filter(file -> !file.endsWith("stop") && !file.endsWith("chain")).toList();
    }
  }

  private String begin(String script) {
    return processes.start(Native.shell(script).setCwd(dir.toString()), "").getProcess().getId();
  }

  /// A pid that the script has written into a file.
  private long pid(String note) {
    Path file = dir.resolve(note);
    await().until(() -> Files.exists(file) && Files.readString(file).endsWith("\n"));
    try {
      return Long.parseLong(Files.readString(file).strip());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private TreeOutcome kill(String id) {
    return stop(id, 9).getTree();
  }

  private StopResponse stop(String id, int signal) {
    return processes.stop(
        StopRequest.newBuilder()
            .setProcess(Native.id(id))
            .setSignal(signal)
            .setGraceMs(5_000)
            .setScope(Scope.SCOPE_TREE));
  }

  private static List<Integer> pids(List<TreeMember> members) {
    return members.stream().map(TreeMember::getPid).toList();
  }

  private static boolean runs(long pid) {
    try {
      String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
      return stat.charAt(stat.lastIndexOf(')') + 2) != 'Z';
    } catch (IOException gone) {
      return false;
    }
  }

  @Test
  void whatForkedTwiceLeftTheSessionOrIgnoresHangupsIsKilled() {
    String id =
        begin(
            "(sleep 1000 & echo $! > orphan); nohup sleep 1000 > /dev/null 2>&1 & echo $! > nohup; "
                + DAEMON
                + "echo $$ > ready; wait");
    pid("ready");
    List<Long> all = List.of(pid("ready"), pid("orphan"), pid("nohup"), pid("daemon"));
    List<TreeMember> members =
        processes
            .client()
            .unary(
                ProcessesGrpc.getGetMethod(),
                GetRequest.newBuilder().setProcess(Native.id(id)).setWithTree(true).build(),
                Map.of())
            .getTreeList();
    assertThat(pids(members)).extracting(Integer::longValue).containsAll(all);

    TreeOutcome outcome = kill(id);

    assertThat(outcome.getGone()).isTrue();
    assertThat(outcome.getSurvivorsList()).isEmpty();
    assertThat(pids(outcome.getSignalledList())).extracting(Integer::longValue).containsAll(all);
    assertThat(all).noneMatch(TreeIT::runs);
  }

  @Test
  void whatIgnoresTheFirstSignalIsKilledAfterTheGrace() {
    String id =
        begin(
            "setsid sh -c 'trap \"\" TERM; echo $$ > stubborn; while :; do sleep 0.1; done' & echo $$ > ready; wait");
    pid("ready");
    long stubborn = pid("stubborn");
    StopResponse response =
        processes.stop(
            StopRequest.newBuilder()
                .setProcess(Native.id(id))
                .setGraceMs(300)
                .setScope(Scope.SCOPE_TREE));
    assertThat(response.getTree().getGone()).isTrue();
    assertThat(runs(stubborn)).isFalse();
  }

  @Test
  void aLoopOfForksIsStopped() {
    String id =
        begin(
            "f() { until [ -e stop ]; do sleep 1000 & (sleep 1000 &); sleep 0.02; done; }; f & f & f & echo $$ > ready; wait");
    pid("ready");
    long started = System.nanoTime();
    TreeOutcome outcome = kill(id);
    Measured.print(
        "a loop of forks: %d killed in %.1f s, gone: %b",
        outcome.getSignalledCount(), Measured.seconds(Measured.since(started)), outcome.getGone());
    assertThat(outcome.getGone()).isTrue();
  }

  @Test
  void aChainOfForksThroughSessionsIsStoppedOrItsTipIsNamed() throws IOException {
    Files.writeString(dir.resolve("chain"), "[ -e stop ] || setsid sh ./chain &\n");
    String id = begin("sh ./chain; echo $$ > ready; sleep 1000");
    pid("ready");
    TreeOutcome outcome = kill(id);
    assertThat(outcome.getGone()).isEqualTo(outcome.getSurvivorsCount() == 0);
    Measured.print(
        "a chain of forks through sessions: gone: %b, survivors: %d",
        outcome.getGone(), outcome.getSurvivorsCount());
  }

  @Test
  void aDaemonThatClearsItsEnvironmentIsKilledOrNamed() {
    String id = begin("env -i " + DAEMON + "echo $$ > ready; exec sleep 1000");
    pid("ready");
    long daemon = pid("daemon");
    TreeOutcome outcome = kill(id);
    if (runs(daemon)) {
      assertThat(outcome.getGone()).isFalse();
      assertThat(outcome.getSurvivorsList())
          .filteredOn(survivor -> survivor.getPid() == daemon)
          .singleElement()
          .extracting(Survivor::getWhy)
          .asString()
          .contains("its environment has no SANDPIPER_PROCESS_ID");
    } else {
      assertThat(pids(outcome.getSignalledList())).contains((int) daemon);
    }
  }

  @Test
  void whatAFinishedCommandLeftBehindCanStillBeKilled() {
    String id = begin(DAEMON + "echo $$ > ready");
    long daemon = pid("daemon");
    await().atMost(Duration.ofSeconds(20)).until(() -> processes.get(id).hasEnd());
    assertThat(runs(daemon)).isTrue();
    TreeOutcome outcome = kill(id);
    assertThat(pids(outcome.getSignalledList())).contains((int) daemon);
    assertThat(runs(daemon)).isFalse();
    assertThat(outcome.getGone()).isTrue();
  }
}
