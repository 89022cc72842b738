package dev.sandpiper.tests;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.proto.v1.GetRequest;
import dev.sandpiper.proto.v1.ProcessesGrpc;
import dev.sandpiper.proto.v1.Scope;
import dev.sandpiper.proto.v1.StopRequest;
import dev.sandpiper.proto.v1.StopResponse;
import dev.sandpiper.proto.v1.Survivor;
import dev.sandpiper.proto.v1.TreeMember;
import dev.sandpiper.proto.v1.TreeOutcome;
import dev.sandpiper.tests.harness.Account;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.Native;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.RestartedAgent;
import dev.sandpiper.tests.harness.Shell;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// T-5, stop with the scope of the whole tree: everything that a command started is killed, or named as a survivor.
final class TreeIT {
  private static final String DAEMON =
      "setsid sh -c 'sleep 1000 & echo $! > daemon' > /dev/null 2>&1; ";

  @TempDir Path dir;
  private @Nullable AgentProcess agent;
  private @Nullable Native processes;

  /// How the agent finds who belongs: looks at every process, or also a control group for each command.
  enum Mode {
    LOOKS,
    GROUPS
  }

  private void start(Mode mode) {
    if (mode == Mode.GROUPS) {
      assumeTrue(groupsCanBeMade(), "needs the right to make control groups of version 2");
    }
    start(AgentProcess.builder().flag("--process-cgroups", mode == Mode.GROUPS));
  }

  private void start(AgentProcess.Builder builder) {
    AgentProcess started = builder.start();
    agent = started;
    processes = new Native(started.processes().rpc());
  }

  private static boolean groupsCanBeMade() {
    try {
      String own =
          Files.readAllLines(Path.of("/proc/self/cgroup")).stream()
              .filter(line -> line.startsWith("0::"))
              .findFirst()
              .map(line -> line.substring(3))
              .orElse("/none");
      return Files.readAllLines(Path.of("/proc/self/mounts")).stream()
          .map(line -> line.split(" ", -1))
          .filter(fields -> fields[2].equals("cgroup2"))
          .anyMatch(fields -> Files.isWritable(Path.of(fields[1] + own, "cgroup.procs")));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @AfterEach
  void stop() throws IOException {
    if (!Files.exists(dir.resolve("stop"))) {
      Files.createFile(dir.resolve("stop")); // for the loops
    }
    if (agent != null) {
      agent.close();
    }
    for (Path note : notes()) {
      ProcessHandle.of(pid(note.getFileName().toString()))
          .ifPresent(ProcessHandle::destroyForcibly);
    }
  }

  private Native api() {
    return requireNonNull(processes);
  }

  private List<Path> notes() throws IOException {
    try (java.util.stream.Stream<Path> all = Files.list(dir)) {
      List<String> others = List.of("stop", "chain", "setpriv");
      return all.filter(file -> !others.contains(file.getFileName().toString())).toList();
    }
  }

  private String begin(String script) {
    return api().start(Native.shell(script).setCwd(dir.toString()), "").getProcess().getId();
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
    return api()
        .stop(
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

  @ParameterizedTest
  @EnumSource(Mode.class)
  void whatForkedTwiceLeftTheSessionOrIgnoresHangupsIsKilled(Mode mode) {
    start(mode);
    String id =
        begin(
            "(sleep 1000 & echo $! > orphan); nohup sleep 1000 > /dev/null 2>&1 & echo $! > nohup; "
                + DAEMON
                + "echo $$ > ready; wait");
    pid("ready");
    List<Long> all = List.of(pid("ready"), pid("orphan"), pid("nohup"), pid("daemon"));
    List<TreeMember> members =
        api()
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

  @ParameterizedTest
  @EnumSource(Mode.class)
  void whatIgnoresTheFirstSignalIsKilledAfterTheGrace(Mode mode) {
    start(mode);
    String id =
        begin(
            "setsid sh -c 'trap \"\" TERM; echo $$ > stubborn; while :; do sleep 0.1; done' & echo $$ > ready; wait");
    pid("ready");
    long stubborn = pid("stubborn");
    StopResponse response =
        api()
            .stop(
                StopRequest.newBuilder()
                    .setProcess(Native.id(id))
                    .setGraceMs(300)
                    .setScope(Scope.SCOPE_TREE));
    assertThat(response.getTree().getGone()).isTrue();
    assertThat(runs(stubborn)).isFalse();
  }

  @ParameterizedTest
  @EnumSource(Mode.class)
  void aLoopOfForksIsStopped(Mode mode) {
    start(mode);
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

  @ParameterizedTest
  @EnumSource(Mode.class)
  void aChainOfForksThroughSessionsIsStoppedOrItsTipIsNamed(Mode mode) throws IOException {
    start(mode);
    Files.writeString(dir.resolve("chain"), "[ -e stop ] || setsid sh ./chain &\n");
    String id = begin("sh ./chain; echo $$ > ready; sleep 1000");
    pid("ready");
    TreeOutcome outcome = kill(id);
    assertThat(outcome.getGone()).isEqualTo(outcome.getSurvivorsCount() == 0);
    Measured.print(
        "a chain of forks through sessions: gone: %b, survivors: %d",
        outcome.getGone(), outcome.getSurvivorsCount());
  }

  /// Nothing that it inherited is left of it, but it comes from somewhere: it is killed where the command has a control group,
  /// and named where it has none. The next command, which has started after it, is not doubted for it.
  @ParameterizedTest
  @EnumSource(Mode.class)
  void aDaemonThatClearsItsEnvironmentIsKilledOrNamed(Mode mode) {
    start(mode);
    String id =
        begin(
            "sleep 0.2; env -i setsid sh -c 'echo 0 > /proc/self/oom_score_adj; sleep 1000 & echo $! > daemon'"
                + " > /dev/null 2>&1; echo $$ > ready; exec sleep 1000");
    pid("ready");
    long daemon = pid("daemon");
    TreeOutcome outcome = kill(id);
    if (mode == Mode.GROUPS) {
      assertThat(pids(outcome.getSignalledList())).contains((int) daemon);
      assertThat(runs(daemon)).isFalse();
      assertThat(outcome.getGone()).isTrue();
    } else {
      assertThat(runs(daemon)).isTrue();
      assertThat(outcome.getGone()).isFalse();
      assertThat(outcome.getSurvivorsList())
          .singleElement()
          .matches(survivor -> survivor.getPid() == daemon)
          .extracting(Survivor::getWhy)
          .asString()
          .contains("its environment has no SANDPIPER_PROCESS_ID")
          .endsWith("its parent is process " + requireNonNull(agent).pid());
    }
    assertThat(kill(begin("exec sleep 1000")).getGone()).isTrue();
  }

  @Test
  void orphansAreCollectedWhenTheyEnd() {
    start(Mode.LOOKS);
    begin("(sleep 0.3 & echo $! > orphan); exec sleep 1000");
    long orphan = pid("orphan");
    await().until(() -> !Files.exists(Path.of("/proc/" + orphan)));
  }

  /// After a crash the orphans are with whoever collects them, and so is every stranger.
  @Test
  void ofWhatAnEarlierAgentStartedADaemonInHidingIsNamedToo() {
    try (RestartedAgent restarted = new RestartedAgent().start()) {
      processes = new Native(restarted.processes().rpc());
      String id = begin("env -i " + DAEMON + "echo $$ > ready; exec sleep 1000");
      pid("ready");
      long daemon = pid("daemon");
      restarted.kill();
      restarted.start();
      TreeOutcome outcome = kill(id);
      assertThat(outcome.getGone()).isFalse();
      assertThat(outcome.getSurvivorsList()).extracting(Survivor::getPid).contains((int) daemon);
    }
  }

  /// A program with the set-user-ID bit, started by an agent that is not root.
  @Test
  void aProcessOfAnotherUserIsNamedWhereTheAgentMayNotSignalIt() throws IOException {
    try (Account account = new Account()) {
      Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString("rwxrwxrwx"));
      Path program = Files.copy(Path.of("/usr/bin/setpriv"), dir.resolve("setpriv"));
      Shell.run("chmod", "4755", program.toString()).requireSuccess();
      start(AgentProcess.builder().as(account));
      String id =
          begin(
              program
                  + " --reuid=0 --clear-groups sleep 1000 & echo $! > other; echo $$ > ready; exec sleep 1000");
      pid("ready");
      long other = pid("other");
      await().until(() -> ProcFs.status(other, "Uid").startsWith("0\t0\t0"));
      TreeOutcome outcome = kill(id);
      assertThat(outcome.getGone()).isFalse();
      assertThat(outcome.getSurvivorsList())
          .singleElement()
          .matches(survivor -> survivor.getPid() == other)
          .extracting(Survivor::getWhy)
          .asString()
          .contains("the kernel refused: ")
          .contains("EPERM");
      assertThat(runs(other)).isTrue();
    }
  }

  @Test
  void whereProcessesAreHiddenNothingIsSaidToBeGone() throws IOException {
    try (Account account = new Account()) {
      Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString("rwxrwxrwx"));
      String hide = "mount -t proc -o hidepid=2 proc /proc && ";
      List<String> look = new ArrayList<>(List.of("unshare", "--mount", "sh", "-c"));
      look.addAll(List.of(hide + "exec \"$@\"", "sh"));
      look.addAll(List.of(account.commandAs("test", "!", "-e", "/proc/1")));
      Shell.Result hidden = Shell.run(look.toArray(String[]::new));
      assumeTrue(
          hidden.exitCode() == 0, "needs a /proc that can be mounted with hidepid: " + hidden);
      start(
          AgentProcess.builder()
              .via("unshare", "--mount", "sh", "-c", hide + "exec \"$@\"", "sh")
              .as(account));
      String id = begin("echo $$ > ready; exec sleep 1000");
      long leader = pid("ready");

      TreeOutcome outcome = kill(id);

      assertThat(runs(leader)).isFalse();
      assertThat(outcome.getGone()).isFalse();
      assertThat(outcome.getSurvivorsList()).isEmpty();
      assertThat(outcome.getLimitsList())
          .containsExactly("/proc hides processes of other users (hidepid)");

      ProcessBuilder stop =
          new ProcessBuilder(
              AgentProcess.executable().toString(), "stop", "--scope", "tree", begin("sleep 1000"));
      stop.environment().put("SANDPIPER_PORT", Integer.toString(requireNonNull(agent).port()));
      Shell.Result said = Shell.run(stop, 60);
      assertThat(said.exitCode()).isEqualTo(1);
      assertThat(said.stderr()).contains("not known to be gone: /proc hides processes");
    }
  }

  @ParameterizedTest
  @EnumSource(Mode.class)
  void whatAFinishedCommandLeftBehindCanStillBeKilled(Mode mode) {
    start(mode);
    String id = begin(DAEMON + "echo $$ > ready");
    long daemon = pid("daemon");
    await().atMost(Duration.ofSeconds(20)).until(() -> api().get(id).hasEnd());
    assertThat(runs(daemon)).isTrue();
    TreeOutcome outcome = kill(id);
    assertThat(pids(outcome.getSignalledList())).contains((int) daemon);
    assertThat(runs(daemon)).isFalse();
    assertThat(outcome.getGone()).isTrue();
  }
}
