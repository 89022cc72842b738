package dev.sandpiper.agent.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Signals;
import dev.sandpiper.agent.posix.Tasks;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Processes whose parent is somebody else, as after a crash.
class AdoptedChildTest {
  @TempDir Path state;
  private LaunchFixture fixture;
  private final Map<String, String> facts = new HashMap<>();

  @BeforeEach
  void open() {
    fixture = new LaunchFixture(state);
    // The launcher has made this process the one that gets orphans; those of an earlier agent went
    // to somebody else.
    Tasks.prctl(Tasks.PR_SET_CHILD_SUBREAPER, 0);
    for (String key : new String[] {Child.FIFO_STDIN, Child.FIFO_STDOUT, Child.FIFO_STDERR}) {
      String path = state.resolve(key).toString();
      assertThat(Posix.mkfifo(path, 0600)).isZero();
      facts.put(key, path);
    }
  }

  @AfterEach
  void close() {
    fixture.close();
  }

  /// Runs a script with its streams on the FIFOs, in a session of its own, as a child of nobody here.
  private EarlierChild orphan(String script) throws Exception {
    String command =
        "exec 3<>%s 4<>%s 5<>%s; setsid sh -c '>%s; %s' <&3 >&4 2>&5 3<&- 4>&- 5>&- & echo $!"
            .formatted(
                facts.get(Child.FIFO_STDIN),
                facts.get(Child.FIFO_STDOUT),
                facts.get(Child.FIFO_STDERR),
                state.resolve("ready"),
                script);
    Process shell = new ProcessBuilder("sh", "-c", command).start();
    String said = new String(shell.getInputStream().readNBytes(16), StandardCharsets.US_ASCII);
    shell.waitFor();
    int pid = Integer.parseInt(said.strip());
    await().until(() -> Files.exists(state.resolve("ready"))); // it has its session by then
    return new EarlierChild("p1", ProcStat.identity(pid), false, facts);
  }

  private static String read(Child child) {
    return switch (child.output()) {
      case ChildOutput.Pipes(int stdout, int stderr) -> {
        Posix.close(stderr);
        yield LaunchFixture.readAll(stdout);
      }
      case ChildOutput.Terminal _ -> throw new AssertionError("no terminal was asked for");
    };
  }

  @Test
  void isReachedByItsPathsAndItsExitCodeIsTheKernels() throws Exception {
    EarlierChild orphan = orphan("read x; echo got $x; exit 7");
    Child child = fixture.launcher.adopt(orphan);
    assertThat(child).isInstanceOf(AdoptedChild.class);
    assertThat(child.peekExit()).isNull();
    assertThat(child.facts())
        .containsEntry(Child.ADOPTED, "paths")
        .containsEntry(Child.LOST, "what it wrote or read while no agent ran: there was no keeper");
    ByteBuffer line = LaunchFixture.direct("it\n");
    assertThat(child.writeInput(line)).isEqualTo(3);
    assertThat(read(child)).isEqualTo("got it\n");
    await().until(() -> child.peekExit() != null);
    assertThat(child.peekExit()).isEqualTo(new Exit.Exited(7));
    assertThat(child.usage()).isNull();
    child.close();
  }

  @Test
  void isKilledWithItsGroupAndTheSignalIsKnown() throws Exception {
    EarlierChild orphan = orphan("sleep 1000 & wait");
    Child child = fixture.launcher.adopt(orphan);
    assertThat(child.signal(Signals.SIGKILL, Scope.GROUP)).isZero();
    await().until(() -> child.peekExit() != null);
    assertThat(child.peekExit()).isEqualTo(new Exit.Signaled(Signals.SIGKILL, false));
    assertThat(read(child)).as("its background child has gone too").isEmpty();
    child.close();
    assertThat(child.signal(Signals.SIGTERM, Scope.LEADER)).isNegative();
  }

  @Test
  void aPidThatMeansAnotherProcessByNowIsNotTouchedAndTheExitIsLost() throws IOException {
    Process other = new ProcessBuilder("sleep", "1000").start();
    ProcessIdentity now = ProcStat.identity((int) other.pid());
    ProcessIdentity before = new ProcessIdentity(now.pid(), now.startTicks() - 1, now.bootId());
    Child child = fixture.launcher.adopt(new EarlierChild("p1", before, false, Map.of()));
    assertThat(child.signal(Signals.SIGKILL, Scope.GROUP)).isNegative();
    assertThat(Posix.poll(child.pidfd(), Posix.POLLIN)).as("its end is seen at once").isPositive();
    assertThat(child.peekExit()).isInstanceOf(Exit.Lost.class);
    assertThat(read(child)).isEmpty();
    child.close();
    assertThat(other.isAlive()).isTrue();
    other.destroyForcibly();
  }
}
