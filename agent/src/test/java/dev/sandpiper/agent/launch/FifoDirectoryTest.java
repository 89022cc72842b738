package dev.sandpiper.agent.launch;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class FifoDirectoryTest {
  private static final Path SHM = Path.of("/dev/shm");

  @TempDir Path dir;
  private Path state;

  @BeforeEach
  void makeState() throws Exception {
    state = Files.createDirectory(dir.resolve("state"));
  }

  private FifoDirectory open(String run) {
    return FifoDirectory.open(List.of(SHM), state, run, _ -> false);
  }

  private static void assumeTmpfs() {
    assumeThat(Posix.fileSystemType(SHM.toString())).as("tmpfs on /dev/shm").isEqualTo(Posix.TMPFS);
  }

  @Test
  void liesOnTmpfsClosedToOthersAndIsGoneWhenEmpty() throws Exception {
    assumeTmpfs();
    FifoDirectory directory = open("a");
    assertThat(directory.path()).hasParent(SHM);
    assertThat(Files.getPosixFilePermissions(directory.path()))
        .isEqualTo(PosixFilePermissions.fromString("rwx------"));
    assertThat(open("b").path()).isEqualTo(directory.path());
    directory.removeIfEmpty();
    assertThat(directory.path()).doesNotExist();
  }

  @Test
  void withoutTmpfsItIsInTheStateDirectory() {
    Path ordinary = Path.of("/proc");
    FifoDirectory directory = FifoDirectory.open(List.of(ordinary), state, "a", _ -> false);
    assertThat(directory.path()).isEqualTo(state.resolve("fifo"));
  }

  @Test
  void earlierRunsAreRemovedExceptWhatIsStillNeeded() {
    FifoDirectory first = open("one");
    String needed = first.fifo(1);
    String dead = first.fifo(2);
    Posix.mkfifo(needed, 0600);
    Posix.mkfifo(dead, 0600);
    FifoDirectory second = FifoDirectory.open(List.of(SHM), state, "two", needed::equals);
    assertThat(Path.of(needed)).exists();
    assertThat(Path.of(dead)).doesNotExist();
    assertThat(second.fifo(1)).isNotEqualTo(needed);
    second.removeIfEmpty();
    assertThat(second.path()).exists(); // somebody runs with a FIFO in it
    Posix.unlink(needed);
    second.removeIfEmpty();
    assertThat(second.path()).doesNotExist();
  }

  @Test
  void directoryOfALostStateDirectoryIsRemovedByTheNextAgent() throws Exception {
    assumeTmpfs();
    FifoDirectory lost = open("one");
    Posix.mkfifo(lost.fifo(1), 0600);
    Files.delete(state);
    state = Files.createDirectory(dir.resolve("other"));
    FifoDirectory next = open("two");
    assertThat(lost.path()).doesNotExist();
    next.removeIfEmpty();
  }

  @Test
  void directoryThatOthersMayEnterIsNotUsed() throws Exception {
    assumeTmpfs();
    FifoDirectory directory = open("one");
    Files.setPosixFilePermissions(directory.path(), PosixFilePermissions.fromString("rwxrwxrwx"));
    assertThat(open("two").path()).isEqualTo(state.resolve("fifo"));
    Files.setPosixFilePermissions(directory.path(), PosixFilePermissions.fromString("rwx------"));
    directory.removeIfEmpty();
  }

  @Test
  void poolWithoutADirectoryFallsBackToPipesAndSaysSo() throws Exception {
    try (LaunchFixture fixture = new LaunchFixture(state)) {
      await().until(() -> fixture.launcher.fifosReady() == FifoPool.READY);
      Child first = fixture.start(fixture.spec("true"));
      Path used = Path.of(requireNonNull(first.facts().get(Child.FIFO_STDOUT)));
      Path fifos = requireNonNull(used.getParent());
      LaunchFixture.finish(first);
      Path aside = fifos.resolveSibling(fifos.getFileName() + "-aside");
      Files.move(fifos, aside);
      try {
        LaunchFixture.Finished done = null;
        for (int i = 0; i < FifoPool.READY + 2; i++) { // the prepared ones still serve
          done = fixture.run(fixture.shell("echo x > /dev/stdout"));
          assertThat(done.out()).isEqualTo("x\n");
        }
        assertThat(requireNonNull(done).child().facts()).containsEntry(Child.PIPES, "anonymous");
      } finally {
        Files.move(aside, fifos);
      }
    }
  }

  @Test
  void readerThatOpensAnEndedFifoIsLetInAndOneThatIsGoneEndsTheWork() throws Exception {
    String path = dir.resolve("in").toString();
    Posix.mkfifo(path, 0600);
    int held = Posix.open(path, Fcntl.O_RDONLY | Fcntl.O_NONBLOCK, 0);
    long[] now = {0};
    EndedInputs ended = new EndedInputs(() -> now[0]);
    assertThat(ended.nudge()).isEqualTo(Long.MAX_VALUE);
    ended.add(path, true);
    assertThat(ended.hasNews()).isTrue();
    assertThat(ended.isUrgent()).isTrue();
    assertThat(ended.nudge()).isEqualTo(1_000_000);
    assertThat(ended.isUrgent()).isFalse();
    Thread opener =
        Thread.ofPlatform()
            .start(() -> {
              int again = Posix.open(path, Fcntl.O_RDONLY, 0); // blocks without a writer
              assertThat(Posix.read(again, ByteBuffer.allocateDirect(1))).isZero();
              Posix.close(again);
            });
    await()
        .until(() -> {
          now[0] += 1_000_000_000;
          assertThat(ended.nudge()).isBetween(2_000_000L, 200_000_000L);
          return !opener.isAlive();
        });
    Posix.close(held);
    now[0] += 1_000_000_000;
    assertThat(ended.nudge()).isEqualTo(Long.MAX_VALUE);
    assertThat(Path.of(path)).doesNotExist();
  }

  @Test
  void exitPipeEndsWithTheProcess() throws Exception {
    try (LaunchFixture fixture = new LaunchFixture(state)) {
      Child child = fixture.start(LaunchFixture.with(fixture.spec("cat"), new Stdio.Pipes(true)));
      int fd = ExitPipe.open(child.pid());
      assertThat(Posix.read(fd, ByteBuffer.allocateDirect(1))).isEqualTo(-Errno.EAGAIN);
      child.closeInput();
      LaunchFixture.awaitExit(child);
      await().until(() -> Posix.read(fd, ByteBuffer.allocateDirect(1)) == 0);
      assertThat(Tasks.waitid(Tasks.P_PID, child.pid(), Tasks.WEXITED | Tasks.WNOWAIT))
          .isNotNull()
          .extracting("error")
          .isEqualTo(0); // the status is still there
      Posix.close(fd);
      LaunchFixture.finish(child);
    }
  }
}
