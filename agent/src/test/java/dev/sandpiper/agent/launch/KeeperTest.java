package dev.sandpiper.agent.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Signals;
import dev.sandpiper.agent.posix.Tasks;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KeeperTest {
  private static final ProcessIdentity NOBODY = new ProcessIdentity(0, 0, "");

  @TempDir Path state;
  private LaunchFixture fixture;
  private Keeper keeper;

  @BeforeEach
  void open() {
    fixture = new LaunchFixture(state);
    keeper = fixture.launcher.keeper();
  }

  @AfterEach
  void close() {
    keeper.close(false);
    fixture.close();
  }

  /// A box with the read end of a pipe; answers the write end.
  private int keepPipe(String processId, List<Box> boxes) {
    int[] pipe = new int[2];
    Posix.pipe2(pipe, Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK);
    Box box = Box.of(processId, -1, Child.STDOUT, new int[] {pipe[0]}, new int[1]);
    Posix.close(pipe[0]);
    boxes.add(Objects.requireNonNull(box));
    box.seal();
    box.use();
    keeper.add(box);
    return pipe[1];
  }

  private void hold(List<Box> boxes) {
    keeper.flush();
    keeper.start();
    assertThat(boxes).allSatisfy(box -> assertThat(box.refused()).isNull());
  }

  private static EarlierChild process(String id) {
    return new EarlierChild(id, NOBODY, false, Map.of());
  }

  private static long write(int fd) {
    return Posix.write(fd, ByteBuffer.allocateDirect(1));
  }

  /// The keeper as another agent on the same directory finds it.
  private Keeper found() {
    Keeper other = new Keeper(state, new NoProgram());
    other.recover(Map.of());
    return other;
  }

  /// Where nothing can be started.
  private static final class NoProgram implements Keeper.Starter {
    @Override
    public int start(List<String> command, Map<String, String> environment, int input, int output) {
      return -Errno.ENOENT;
    }

    @Override
    public void ended(int pid) {}
  }

  @Test
  void isThereOnlyOnceSomethingIsKept() {
    await().until(() -> fixture.launcher.fifosReady() == FifoPool.READY);
    keeper.flush();
    assertThat(keeper.pid()).isZero();
    assertThat(state.resolve("keeper")).doesNotExist();
  }

  private static List<String> openIn(int pid) throws IOException {
    try (var links = Files.list(Path.of("/proc", Integer.toString(pid), "fd"))) {
      List<String> open = new ArrayList<>();
      for (Path link : links.sorted().toList()) {
        open.add(Files.readSymbolicLink(link).toString());
      }
      return open;
    }
  }

  @Test
  void holdsNothingButTheTwoEndsOfItsSocketPair() {
    List<Box> boxes = new ArrayList<>();
    int pipe = keepPipe("p1", boxes);
    hold(boxes);
    // While its program is being loaded there are more.
    await()
        .ignoreExceptions()
        .untilAsserted(() -> {
          List<String> open = openIn(keeper.pid());
          assertThat(open).hasSize(3);
          assertThat(open.subList(0, 2)).allMatch(target -> target.startsWith("socket:"));
          assertThat(open.getLast()).isEqualTo("/dev/null");
        });
    Posix.close(pipe);
  }

  @Test
  void aNewAgentFindsEverythingAgainAndAgainUntilItIsLetGo() {
    List<Box> boxes = new ArrayList<>();
    int pipe = keepPipe("p1", boxes);
    hold(boxes);
    for (int agent = 0; agent < 3; agent++) {
      Keeper other = found();
      assertThat(other.missed()).isNull();
      assertThat(other.holds(process("p1"))).isTrue();
      assertThat(write(pipe)).isEqualTo(1);
      Keeper.Found claimed = other.claim(process("p1"));
      int fd = claimed.take(Child.STDOUT);
      assertThat(Posix.read(fd, ByteBuffer.allocateDirect(9))).isEqualTo(1);
      Posix.close(fd);
      other.close(true);
      claimed.boxes().forEach(box -> Posix.close(box.fd()));
    }
    keeper.remove(boxes.getFirst());
    assertThat(write(pipe)).isEqualTo(-Errno.EPIPE);
    Posix.close(pipe);
  }

  @Test
  void thousandsComeAndGoAndThoseThatStayAreFound() {
    List<Box> boxes = new ArrayList<>();
    List<Integer> pipes = new ArrayList<>();
    for (int i = 0; i < 2000; i++) {
      boolean stays = i % 20 == 0;
      int pipe = keepPipe("p" + i, boxes);
      hold(boxes.subList(i, i + 1));
      if (stays) {
        pipes.add(pipe);
      } else {
        keeper.remove(boxes.getLast());
        assertThat(write(pipe)).isEqualTo(-Errno.EPIPE);
        Posix.close(pipe);
      }
    }
    Keeper other = found();
    for (int i = 0; i < 2000; i += 20) {
      assertThat(other.holds(process("p" + i))).as("p%d", i).isTrue();
    }
    other.releaseUnclaimed();
    for (int pipe : pipes) {
      assertThat(write(pipe)).isEqualTo(-Errno.EPIPE);
      Posix.close(pipe);
    }
    other.close(true);
    boxes.forEach(keeper::remove);
  }

  @Test
  void isReplacedByOneThatHoldsTheSame() {
    List<Box> boxes = new ArrayList<>();
    int pipe = keepPipe("p1", boxes);
    hold(boxes);
    int first = keeper.pid();
    Tasks.kill(first, Signals.SIGKILL);
    await().until(() -> Posix.poll(keeper.exitFd(), Posix.POLLIN) > 0);
    Keeper early = found();
    assertThat(early.missed()).as("while it was not collected").isEqualTo("the keeper was gone");
    early.close(true);
    keeper.replace();
    keeper.start();
    assertThat(keeper.pid()).isPositive().isNotEqualTo(first);
    Keeper other = found();
    assertThat(other.holds(process("p1"))).isTrue();
    other.close(true);
    Posix.close(pipe);
  }

  @Test
  void whatACommandIsGivenIsHeldBeforeItIsSpawnedAndItsExitAtOnceBehind() throws Exception {
    keeper.start();
    await().until(() -> fixture.launcher.fifosReady() == FifoPool.READY);
    LaunchSpec spec = LaunchFixture.with(fixture.shell("exit 3"), new Stdio.Pipes(true));
    List<Set<String>> held = new ArrayList<>();
    Child child =
        fixture.launcher.launchHere(
            spec, facts -> held.add(heldOf(new EarlierChild("later", NOBODY, false, facts))));
    assertThat(held).containsExactly(Set.of(Child.STDIN, Child.STDOUT, Child.STDERR));
    assertThat(heldOf(process(spec.processId())))
        .as("named by the process from here on")
        .containsExactlyInAnyOrder(Child.STDOUT, Child.STDERR, Child.EXIT);
    assertThat(heldOf(new EarlierChild(spec.processId(), NOBODY, false, child.facts())))
        .containsExactlyInAnyOrder(Child.STDIN, Child.STDOUT, Child.STDERR, Child.EXIT);
    assertThat(child.facts()).doesNotContainKey(Child.KEEPER);
    child.closeInput();
    assertThat(LaunchFixture.finish(child).exit()).isEqualTo(new Exit.Exited(3));
    assertThat(keeper.holdsAnything()).as("but what is prepared").isFalse();
  }

  @Test
  void aTerminalIsHeldBeforeItsCommandIsSpawned() throws Exception {
    keeper.start();
    LaunchSpec spec =
        LaunchFixture.with(fixture.shell("exit 4"), new Stdio.Terminal(new PtySize(80, 24)));
    List<Set<String>> held = new ArrayList<>();
    Child child =
        fixture.launcher.launchHere(spec, _ -> held.add(heldOf(process(spec.processId()))));
    assertThat(held).containsExactly(Set.of(Child.MASTER, Child.CARRIER));
    assertThat(LaunchFixture.finish(child).exit()).isEqualTo(new Exit.Exited(4));
    assertThat(keeper.holdsAnything()).isFalse();
  }

  /// The names of what another agent would find.
  private Set<String> heldOf(EarlierChild process) {
    Keeper other = found();
    Keeper.Found claimed = other.claim(process);
    Set<String> names = Set.copyOf(claimed.names());
    claimed.closeRest();
    other.close(true);
    claimed.boxes().forEach(box -> Posix.close(box.fd()));
    return names;
  }

  @Test
  void endsWithACleanStopAndStaysForSurvivors() {
    List<Box> boxes = new ArrayList<>();
    int pipe = keepPipe("p1", boxes);
    hold(boxes);
    int pid = keeper.pid();
    keeper.close(true);
    assertThat(Posix.statusError("/proc/" + pid)).isZero();
    Keeper other = found();
    other.close(false);
    assertThat(Posix.statusError("/proc/" + pid)).isEqualTo(-Errno.ENOENT);
    assertThat(state.resolve("keeper")).doesNotExist();
    Posix.close(pipe);
  }

  @Test
  void whereNoneCanBeStartedTheProcessIsTold() {
    Keeper none = new Keeper(state, new NoProgram());
    int[] pipe = new int[2];
    Posix.pipe2(pipe, Fcntl.O_CLOEXEC);
    Box box =
        Objects.requireNonNull(Box.of("p1", -1, Child.STDOUT, new int[] {pipe[0]}, new int[1]));
    none.add(box);
    none.flush();
    assertThat(none.start()).isFalse();
    assertThat(none.problem())
        .startsWith("no keeper could be started: [/usr/bin/cat]: no such file");
    none.close(false);
    none.remove(box);
    Posix.close(pipe[0]);
    Posix.close(pipe[1]);
  }

  @Test
  void aDamagedFileIsSaidAndNothingIsTakenFromIt() throws IOException {
    assertThat(missed(null)).isEqualTo("there was no keeper");
    assertThat(missed("sandpiper keeper 1\n12 x boot\n")).isEqualTo("there was no keeper");
    assertThat(missed("sandpiper keeper 9\n1 1 boot\n")).isEqualTo("there was no keeper");
    String boot = ProcStat.bootId();
    assertThat(missed("sandpiper keeper 1\n1 1 " + boot + "\n"))
        .as("another process has the pid")
        .isEqualTo("the keeper was gone");
  }

  private @Nullable String missed(@Nullable String content) throws IOException {
    if (content != null) {
      Files.writeString(state.resolve("keeper"), content);
    }
    Keeper other = found();
    String missed = other.missed();
    other.close(true);
    return missed;
  }
}
