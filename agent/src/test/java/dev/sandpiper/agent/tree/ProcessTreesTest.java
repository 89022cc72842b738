package dev.sandpiper.agent.tree;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.agent.machine.OwnControlGroup;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Signals;
import dev.sandpiper.agent.posix.Tasks;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class ProcessTreesTest {
  /// A daemon as from a book: its parent and its session's leader are gone, its streams are elsewhere.
  private static final String DAEMON =
      "setsid sh -c 'sleep 1000 & echo $! > \"$1/daemon\"' sh \"$1\" > /dev/null; ";

  /// As for the agent, which gets the orphans of its commands.
  private static final long ALWAYS = 1;

  private static final long NEVER = Long.MAX_VALUE;

  private final ProcessTrees trees = trees(false, ALWAYS);
  @TempDir Path dir;
  private TreeFixture fixture;

  @BeforeEach
  void open() {
    fixture = new TreeFixture(dir);
  }

  /// Only for tests with few orphans: here nobody collects those that have ended.
  private static void getOrphans() {
    Tasks.prctl(Tasks.PR_SET_CHILD_SUBREAPER, 1);
  }

  @AfterEach
  void close() throws Exception {
    Tasks.prctl(Tasks.PR_SET_CHILD_SUBREAPER, 0);
    fixture.close();
  }

  private ProcessTrees trees(boolean groups, long orphansSince) {
    return new ProcessTrees(new TreeSettings(groups), pid -> fixture.started(pid), orphansSince);
  }

  private TreeOutcome kill(TreeRoot root) throws Exception {
    return trees.kill(root, ProcessTrees.KILL_LIMIT);
  }

  private static List<Integer> pids(List<TreeMember> members) {
    return members.stream().map(TreeMember::pid).toList();
  }

  @SuppressWarnings("SystemOut") // figures are for whoever reads the build's output
  private static void report(String figures) {
    System.out.println(figures);
  }

  @Test
  void everybodyIsFoundWhereverTheyWent() throws Exception {
    TreeRoot root =
        fixture.start(
            "sleep 1000 & echo $! > $1/child; (sleep 1000 & echo $! > $1/orphan);"
                + " nohup sleep 1000 & echo $! > $1/nohup; "
                + DAEMON
                + "echo $$ > $1/ready; wait");
    fixture.pid("ready");
    List<Integer> all =
        List.of(
            root.pid(),
            fixture.pid("child"),
            fixture.pid("orphan"),
            fixture.pid("nohup"),
            fixture.pid("daemon"));

    assertThat(pids(trees.members(root))).containsExactlyInAnyOrderElementsOf(all);

    TreeOutcome outcome = kill(root);
    assertThat(outcome.gone()).isTrue();
    assertThat(outcome.survivors()).isEmpty();
    assertThat(pids(outcome.signalled())).containsExactlyInAnyOrderElementsOf(all);
    assertThat(outcome.signalled()).extracting(TreeMember::name).contains("sh", "sleep");
    assertThat(all).noneMatch(TreeFixture::runs);
    assertThat(trees.members(root)).isEmpty();
  }

  @Test
  void whatALongGoneCommandLeftBehindIsFound() throws Exception {
    TreeRoot root = fixture.start(DAEMON + "exec true");
    int daemon = fixture.pid("daemon");
    await().until(() -> !TreeFixture.runs(root.pid()));

    TreeOutcome outcome = kill(root);

    assertThat(pids(outcome.signalled())).containsExactly(daemon);
    assertThat(outcome.gone()).isTrue();
  }

  @Test
  void aTreeThatIsGoneIsSaidToBeGone() throws Exception {
    TreeRoot root = fixture.start("exec true");
    await().until(() -> !TreeFixture.runs(root.pid()));
    assertThat(kill(root)).isEqualTo(new TreeOutcome(List.of(), List.of(), true, List.of()));
  }

  @Test
  void anySignalReachesEverybodyOnce() throws Exception {
    TreeRoot root =
        fixture.start(
            "trap 'echo leader >> $1/got' USR1; setsid sh -c 'trap \"echo daemon >> $1/got\" USR1; echo $$ > $1/daemon;"
                + " while :; do sleep 0.02; done' sh $1 & echo $$ > $1/ready; while :; do sleep 0.02; done");
    fixture.pid("ready");
    fixture.pid("daemon");
    // Both shells sleep in children that the signal ends, as it should.
    TreeOutcome outcome = trees.signal(root, Signals.SIGUSR1);

    assertThat(pids(outcome.signalled())).contains(root.pid(), fixture.pid("daemon"));
    assertThat(outcome.gone()).isFalse();
    assertThat(outcome.survivors()).isEmpty();
    await()
        .ignoreException(NoSuchFileException.class) // neither shell has come to its trap yet
        .untilAsserted(() ->
            assertThat(Files.readAllLines(dir.resolve("got")))
                .containsExactlyInAnyOrder("leader", "daemon"));
    assertThat(kill(root).gone()).isTrue();
  }

  @Test
  void aLoopThatForksInItsGroupIsStopped() throws Exception {
    TreeRoot root =
        fixture.start(
            "f() { [ -e $1/stop ] || [ $2 = 11 ] || { sleep 0.05; f $1 $(($2 + 1)) & f $1 $(($2 + 1)) & }; };"
                + " f $1 0; f $1 0; echo $$ > $1/ready; wait");
    fixture.pid("ready");
    TreeOutcome outcome = kill(root);
    assertThat(outcome.survivors()).isEmpty();
    assertThat(outcome.gone()).isTrue();
  }

  /// Each process of the chain lives for about a millisecond, in a session of its own.
  @Test
  void aChainOfForksIsStoppedOrItsTipIsNamed() throws Exception {
    Path script = Files.writeString(dir.resolve("chain"), "[ -e $1/stop ] || setsid sh $0 $1 &\n");
    TreeRoot root = fixture.start("sh " + script + " $1; echo $$ > $1/ready; sleep 1000");
    fixture.pid("ready");

    TreeOutcome outcome = trees.kill(root, Duration.ofSeconds(3));

    assertThat(outcome.gone()).isEqualTo(outcome.survivors().isEmpty());
    report(
        "chain of forks: gone %s, %d killed, survivors %s"
            .formatted(outcome.gone(), outcome.signalled().size(), outcome.survivors()));
    assertThat(TreeFixture.runs(root.pid())).isFalse();
    if (outcome.gone()) {
      assertThat(trees.members(root)).isEmpty();
    }
  }

  @Test
  void aDaemonThatClearsItsEnvironmentIsNamed() throws Exception {
    getOrphans();
    TreeRoot root = fixture.start("env -i " + DAEMON + "echo $$ > $1/ready; exec sleep 1000");
    int daemon = fixture.pid("daemon");
    fixture.pid("ready");

    TreeOutcome outcome = kill(root);

    assertThat(pids(outcome.signalled())).containsExactly(root.pid());
    assertThat(outcome.gone()).isFalse();
    assertThat(outcome.survivors()).extracting(each -> each.member().pid()).contains(daemon);
    assertThat(outcome.survivors())
        .filteredOn(each -> each.member().pid() == daemon)
        .singleElement()
        .extracting(Survivor::why)
        .isEqualTo(
            "not signalled, because nobody can tell whether it belongs: its environment has no SANDPIPER_PROCESS_ID,"
                + " and its parent is process "
                + requireNonNull(new ProcFiles().entry(daemon)).parent());
  }

  /// In what it inherits nothing is left of the command.
  @Test
  void aDaemonThatAlsoLowersItsPreferenceIsNamed() throws Exception {
    getOrphans();
    TreeRoot root =
        fixture.start(
            "env -i setsid sh -c 'echo 0 > /proc/self/oom_score_adj; sleep 1000 & echo $! > \"$1/daemon\"' sh \"$1\""
                + " > /dev/null; echo $$ > $1/ready; exec sleep 1000");
    int daemon = fixture.pid("daemon");
    fixture.pid("ready");

    TreeOutcome outcome = kill(root);

    assertThat(outcome.gone()).isFalse();
    assertThat(outcome.survivors()).extracting(each -> each.member().pid()).containsExactly(daemon);
  }

  @Test
  void strangersAreNoMatterToACommandWhoseOrphansComeToTheAgent() throws Exception {
    getOrphans();
    TreeRoot root = fixture.start("exec sleep 1000");
    Tasks.prctl(Tasks.PR_SET_CHILD_SUBREAPER, 0);
    ProcessBuilder builder = new ProcessBuilder("sh", "-c", DAEMON, "sh", dir.toString());
    builder.environment().remove(TreeRoot.VARIABLE);
    builder.start().waitFor();
    Tasks.prctl(Tasks.PR_SET_CHILD_SUBREAPER, 1);
    int stranger = fixture.pid("daemon");

    TreeOutcome unsure = trees(false, NEVER).kill(root, ProcessTrees.KILL_LIMIT);
    assertThat(unsure.gone()).isFalse();
    assertThat(unsure.survivors()).extracting(each -> each.member().pid()).contains(stranger);

    assertThat(kill(root)).isEqualTo(new TreeOutcome(List.of(), List.of(), true, List.of()));
  }

  @Test
  void anOrphanThatIsAboutToEndLeavesNoDoubt() throws Exception {
    getOrphans();
    TreeRoot root = fixture.start("(env -i sleep 0.1 &); echo $$ > $1/ready; exec sleep 1000");
    fixture.pid("ready");
    assertThat(kill(root).gone()).isTrue();
  }

  @Test
  void ofACommandThatEndedBeforeTheAgentStartedNothingIsSaidToBeGone() throws Exception {
    TreeOutcome outcome =
        trees(false, ALWAYS)
            .kill(new TreeRoot("long-ago", 0, 0, List.of()), ProcessTrees.KILL_LIMIT);
    assertThat(outcome.gone()).isFalse();
    assertThat(outcome.survivors()).isEmpty();
    assertThat(outcome.limits())
        .containsExactly(
            "the command ended before this agent started: only what carries its mark can be found");
  }

  @Test
  void aDaemonThatClearsItsEnvironmentIsBetrayedByTheOutputThatItHolds() throws Exception {
    getOrphans();
    Path fifo = dir.resolve("fifo");
    assertThat(Posix.mkfifo(fifo.toString(), 0600)).isZero();
    fixture.output(fifo);
    Process reader = new ProcessBuilder("cat", fifo.toString()).start();
    TreeRoot root =
        fixture.start(
            "env -i setsid sh -c 'sleep 1000 & echo $! > \"$1/daemon\"' sh \"$1\"; echo $$ > $1/ready");
    int daemon = fixture.pid("daemon");
    await().until(() -> !TreeFixture.runs(root.pid()));

    TreeOutcome outcome = kill(root);

    assertThat(pids(outcome.signalled())).contains(daemon);
    assertThat(TreeFixture.runs(daemon)).isFalse();
    reader.destroyForcibly().waitFor();
  }

  @Test
  void aCopiedMarkDoesNotMakeOneOfAnothersProcessesOurs() throws Exception {
    TreeRoot ours = fixture.start("exec sleep 1000");
    TreeRoot others =
        fixture.start(
            TreeRoot.VARIABLE + "=" + ours.processId() + " sleep 1000 & echo $! > $1/child; wait");
    int child = fixture.pid("child");
    await().until(() -> new ProcFiles().mark(child).is(ours.processId()));

    assertThat(pids(kill(ours).signalled())).containsExactly(ours.pid());
    assertThat(TreeFixture.runs(child)).isTrue();
    assertThat(pids(kill(others).signalled())).contains(others.pid(), child);
  }

  @Test
  void aPidThatWasGivenAwayIsNotTheCommand() throws Exception {
    TreeRoot now = fixture.start("other", "exec sleep 1000");
    TreeRoot before = new TreeRoot("gone", now.pid(), now.startTicks() - 1, List.of());
    assertThat(kill(before).signalled()).isEmpty();
    assertThat(TreeFixture.runs(now.pid())).isTrue();
  }

  @Test
  void neitherTheAgentNorWhatStartedItBelongsToATree() throws Exception {
    int self = Tasks.getpid();
    ProcEntry entry = requireNonNull(new ProcFiles().entry(self));
    TreeRoot root = new TreeRoot("agent", entry.parent(), 1, List.of());
    assertThat(pids(trees.members(root))).doesNotContain(self, entry.parent(), 1);
    assertThat(kill(new TreeRoot("agent", self, entry.startTicks(), List.of())).signalled())
        .doesNotContain(entry.member());
  }

  @Test
  void aControlGroupHoldsWhatHidesFromEverythingElse() throws Exception {
    Path own = Path.of(OwnControlGroup.directory().orElse("/nowhere"));
    Path groups = own.resolve("sandpiper"); // where the agent would make them
    assumeTrue(
        Files.isWritable(own.resolve("cgroup.procs")),
        "no control groups of version 2 can be made at " + own);
    ProcessTrees withGroups = trees(true, ALWAYS);
    Path go = dir.resolve("in-group");
    TreeRoot root =
        fixture.start(
            "until [ -e '" + go + "' ]; do sleep 0.01; done; env -i " + DAEMON + "exec sleep 1000");
    withGroups.started(root.processId(), root.pid());
    Files.createFile(go);
    int daemon = fixture.pid("daemon");
    Path group = groups.resolve(root.processId());
    assertThat(group).isDirectory();
    assertThat(pids(withGroups.members(root))).contains(daemon);

    TreeOutcome outcome = withGroups.kill(root, ProcessTrees.KILL_LIMIT);

    assertThat(outcome.gone()).isTrue();
    assertThat(pids(outcome.signalled())).contains(root.pid(), daemon);
    assertThat(TreeFixture.runs(daemon)).isFalse();
    await()
        .untilAsserted(() -> {
          withGroups.ended(root.processId());
          assertThat(group).doesNotExist();
        });
  }
}
