package dev.sandpiper.agent.launch;

import static dev.sandpiper.agent.launch.LaunchFixture.direct;
import static dev.sandpiper.agent.launch.LaunchFixture.with;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.launch.LaunchFixture.Finished;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Signals;
import dev.sandpiper.agent.posix.Tasks;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class TerminalTest {
  private static final char CTRL_C = 3;
  private static final char CTRL_D = 4;
  private static final char CTRL_BACKSLASH = 28;

  @TempDir static Path state;
  private static LaunchFixture fixture;

  @BeforeAll
  static void open() {
    fixture = new LaunchFixture(state);
  }

  @AfterAll
  static void close() {
    fixture.close();
  }

  private static LaunchSpec terminal(String script) {
    return with(fixture.shell(script), new Stdio.Terminal(new PtySize(132, 43)));
  }

  /// A terminal whose output the test reads as it comes.
  private static final class Screen implements AutoCloseable {
    final Child child;
    private final ChildOutput.Terminal output;
    private final StringBuilder seen = new StringBuilder();
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(4096);

    Screen(LaunchSpec spec) throws LaunchException {
      child = fixture.start(spec);
      output = (ChildOutput.Terminal) child.output();
    }

    void type(String text) {
      assertThat(child.writeInput(direct(text))).isEqualTo(text.length());
    }

    void awaitText(String text) {
      await()
          .untilAsserted(() -> {
            readMore();
            assertThat(seen.toString()).contains(text);
          });
    }

    private void readMore() {
      while (Posix.read(output.masterFd(), buffer.clear()) > 0) {
        byte[] bytes = new byte[buffer.flip().remaining()];
        buffer.get(bytes);
        seen.append(new String(bytes, StandardCharsets.UTF_8));
      }
    }

    String rest() {
      String left = LaunchFixture.readAll(output.masterFd());
      Posix.close(output.fifoReadFd());
      Posix.close(output.fifoWriteFd());
      return seen + left;
    }

    @Override
    public void close() {
      child.signal(Signals.SIGKILL, Scope.GROUP);
      LaunchFixture.end(child);
      rest();
    }
  }

  @Test
  void sizeIsThereBeforeTheProgramAndAllThreeStreamsAreTheTerminal() throws Exception {
    Finished done = fixture.run(terminal("stty size; tty; test -t 0 -a -t 1 -a -t 2; echo $?"));
    String slave = requireNonNull(done.child().facts().get(Child.PTY));
    assertThat(done.out()).isEqualTo("43 132\r\n" + slave + "\r\n0\r\n");
    assertThat(done.exit()).isEqualTo(new Exit.Exited(0));
  }

  @Test
  void terminalIsTheControllingOneOfItsOwnSession() throws Exception {
    Finished done = fixture.run(terminal("echo through > /dev/tty; cat /proc/$$/stat"));
    String[] lines = done.out().split("\r\n", -1);
    assertThat(lines[0]).isEqualTo("through");
    String[] stat = lines[1].split(" ", -1);
    assertThat(stat[4]).as("group").isEqualTo("" + done.pid());
    assertThat(stat[5]).as("session").isEqualTo("" + done.pid());
    assertThat(stat[6]).as("terminal").isNotEqualTo("0");
    assertThat(stat[7]).as("foreground group").isEqualTo("" + done.pid());
  }

  @Test
  void signalsAreAtTheirDefaultsAndNoDescriptorLeaks() throws Exception {
    String out =
        fixture.run(terminal("grep -E 'Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd")).out();
    assertThat(out)
        .isEqualTo(
            "SigBlk:\t0000000000000000\r\nSigIgn:\t0000000000000000\r\n0  1  2  3\r\n"
                .replace("0  1  2  3", out.contains("0  1") ? "0  1  2  3" : "0\r\n1\r\n2\r\n3"));
  }

  @Test
  void resizeReachesTheProgram() throws Exception {
    try (Screen screen =
        new Screen(
            terminal("trap 'stty size' WINCH; echo ready; while :; do read x && break; done"))) {
      screen.awaitText("ready");
      assertThat(screen.child.resize(new PtySize(80, 24))).isZero();
      screen.awaitText("24 80");
    }
    Child pipes = fixture.start(fixture.spec("true"));
    assertThat(pipes.resize(new PtySize(1, 1))).isEqualTo(-Errno.ENOTTY);
    LaunchFixture.finish(pipes);
  }

  @Test
  void controlCInterruptsTheForegroundGroupOnly() throws Exception {
    try (Screen screen =
        new Screen(
            with(fixture.spec("bash", "--norc", "-i"), new Stdio.Terminal(new PtySize(80, 24))))) {
      screen.type("echo shell-$((40+2))\n");
      screen.awaitText("shell-42");
      screen.type(
          "sh -c 'trap \"echo int-$((40+3)); exit\" INT; echo up-$((40+4)); while :; do sleep 0.05; done'\n");
      screen.awaitText("up-44");
      screen.type("" + CTRL_C);
      screen.awaitText("int-43");
      screen.type("echo alive-$((40+5))\n");
      screen.awaitText("alive-45");
      screen.type("exit 7\n");
      LaunchFixture.awaitExit(screen.child);
      assertThat(screen.child.peekExit()).isEqualTo(new Exit.Exited(7));
    }
  }

  @Test
  void controlCAndControlBackslashAreSignals() throws Exception {
    for (char key : new char[] {CTRL_C, CTRL_BACKSLASH}) {
      try (Screen screen = new Screen(terminal("echo up; exec sleep 1000"))) {
        screen.awaitText("up");
        screen.type("" + key);
        LaunchFixture.awaitExit(screen.child);
        Exit exit = requireNonNull(screen.child.peekExit());
        assertThat(((Exit.Signaled) exit).signal())
            .isEqualTo(key == CTRL_C ? Signals.SIGINT : Signals.SIGQUIT);
      }
    }
  }

  @Test
  void controlDEndsWhatReadsTheTerminal() throws Exception {
    try (Screen screen = new Screen(terminal("cat; echo done"))) {
      screen.type("line\n" + CTRL_D);
      screen.awaitText("done");
    }
  }

  @Test
  void firstAndLastOutputAreKept() throws Exception {
    for (int i = 0; i < 100; i++) {
      Child child = fixture.start(terminal("echo first; seq 1 300; printf last"));
      LaunchFixture.awaitExit(child); // nobody has read a byte so far
      String out = LaunchFixture.finish(child).out();
      assertThat(out).startsWith("first\r\n1\r\n").endsWith("300\r\nlast");
    }
  }

  @Test
  void outputMovesFromMasterThroughTheFifoBySplice() throws Exception {
    Child child = fixture.start(terminal("stty -opost; printf 'spliced, all of it'"));
    ChildOutput.Terminal out = (ChildOutput.Terminal) child.output();
    LaunchFixture.awaitExit(child);
    long moved = Posix.splice(out.masterFd(), out.fifoWriteFd(), 65536, Fcntl.SPLICE_F_NONBLOCK);
    assertThat(moved).isEqualTo(18);
    assertThat(Posix.splice(out.masterFd(), out.fifoWriteFd(), 65536, Fcntl.SPLICE_F_NONBLOCK))
        .isEqualTo(-Errno.EIO);
    ByteBuffer got = ByteBuffer.allocateDirect(100);
    assertThat(Posix.read(out.fifoReadFd(), got)).isEqualTo(18);
    Posix.close(out.masterFd());
    Posix.close(out.fifoReadFd());
    Posix.close(out.fifoWriteFd());
    LaunchFixture.end(child);
  }

  @Test
  void closingEveryMasterHangsUp() throws Exception {
    Child child = fixture.start(terminal("exec sleep 1000"));
    ChildOutput.Terminal out = (ChildOutput.Terminal) child.output();
    int pid = child.pid();
    Posix.close(out.masterFd());
    Posix.close(out.fifoReadFd());
    Posix.close(out.fifoWriteFd());
    assertThat(child.peekExit()).isNull(); // the child object still holds its duplicate
    child.close();
    var ended = requireNonNull(Tasks.waitid(Tasks.P_PID, pid, Tasks.WEXITED));
    assertThat(ended.status()).isEqualTo(Signals.SIGHUP);
  }

  @Test
  void killEndsTheForegroundJob() throws Exception {
    try (Screen screen = new Screen(terminal("echo up; sleep 1000"))) {
      screen.awaitText("up");
      assertThat(screen.child.signal(Signals.SIGKILL, Scope.GROUP)).isZero();
      LaunchFixture.awaitExit(screen.child);
      assertThat(screen.child.peekExit()).isEqualTo(new Exit.Signaled(Signals.SIGKILL, false));
    }
  }

  @Test
  void slaveBelongsToTheUser() throws Exception {
    try (Screen screen = new Screen(terminal("exec sleep 1000"))) {
      FileStatus slave =
          requireNonNull(Posix.status(requireNonNull(screen.child.facts().get(Child.PTY))));
      assertThat(slave.uid()).isEqualTo(Tasks.geteuid());
      assertThat(slave.permissions() & 07).isZero();
    }
  }

  @Test
  void endOfInputLeavesTheTerminalResizable() throws Exception {
    try (Screen screen = new Screen(terminal("exec sleep 1000"))) {
      screen.child.closeInput();
      assertThat(screen.child.inputFd()).isEqualTo(-1);
      assertThat(screen.child.writeInput(direct("x"))).isEqualTo(-Errno.EBADF);
      assertThat(screen.child.resize(new PtySize(1, 2))).isZero();
    }
  }

  @Test
  void terminalsThatEndLeaveNothing() throws Exception {
    await().until(() -> fixture.launcher.fifosReady() == FifoPool.READY);
    int before = requireNonNull(new java.io.File("/proc/self/fd").list()).length;
    for (int i = 0; i < 200; i++) {
      fixture.run(terminal("echo x"));
    }
    await().until(() -> requireNonNull(new java.io.File("/proc/self/fd").list()).length <= before);
  }
}
