package dev.sandpiper.agent.launch;

import static dev.sandpiper.agent.launch.LaunchFixture.direct;
import static dev.sandpiper.agent.launch.LaunchFixture.with;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.launch.LaunchFixture.Finished;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Signals;
import dev.sandpiper.agent.posix.Tasks;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class LaunchTest {
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

  @Test
  void streamsAreApartAndThePidIsTheCommands() throws Exception {
    Finished done = fixture.run(fixture.shell("echo $$; echo problem >&2"));
    assertThat(done.out()).isEqualTo(done.pid() + "\n");
    assertThat(done.err()).isEqualTo("problem\n");
    assertThat(done.exit()).isEqualTo(new Exit.Exited(0));
    assertThat(requireNonNull(done.child().usage()).peakKib()).isPositive();
  }

  @Test
  void everyExitCodeComesBack() throws Exception {
    for (int code = 0; code <= 255; code++) {
      assertThat(fixture.run(fixture.shell("exit " + code)).exit())
          .isEqualTo(new Exit.Exited(code));
    }
  }

  @Test
  void everyTerminatingSignalIsASignalAndNotACode() throws Exception {
    Child probe = fixture.start(fixture.spec("sleep", "1000"));
    probe.signal(Signals.SIGKILL, Scope.LEADER);
    assertThat(LaunchFixture.end(probe)).isEqualTo(new Exit.Signaled(Signals.SIGKILL, false));
    List<Integer> harmless =
        List.of(
            Signals.SIGCHLD,
            Signals.SIGCONT,
            Signals.SIGSTOP,
            Signals.SIGTSTP,
            Signals.SIGTTIN,
            Signals.SIGTTOU,
            Signals.SIGURG,
            Signals.SIGWINCH);
    for (int signal = 1; signal <= Signals.MAX; signal++) {
      if (!harmless.contains(signal)) {
        Child child = fixture.start(fixture.spec("sleep", "1000"));
        int sent = child.signal(signal, Scope.LEADER);
        assertThat(sent).as("signal %d", signal).isZero();
        Exit exit = LaunchFixture.end(child);
        assertThat(exit).isInstanceOf(Exit.Signaled.class);
        assertThat(((Exit.Signaled) exit).signal()).isEqualTo(signal);
      }
    }
  }

  @Test
  void exit137IsNotSigkill() throws Exception {
    assertThat(fixture.run(fixture.shell("exit 137")).exit()).isEqualTo(new Exit.Exited(137));
    assertThat(fixture.run(fixture.shell("kill -9 $$")).exit())
        .isEqualTo(new Exit.Signaled(Signals.SIGKILL, false));
  }

  @Test
  void environmentIsExactlyWhatWasAsked() throws Exception {
    Map<String, String> environment = new LinkedHashMap<>();
    environment.put("ZED", "1");
    environment.put("A", "ä = \n \"x\"");
    environment.put("EMPTY", "");
    LaunchSpec spec = LaunchFixture.env(fixture.spec("/usr/bin/env", "-0"), environment);
    assertThat(fixture.run(spec).out()).isEqualTo("ZED=1\0A=ä = \n \"x\"\0EMPTY=\0");
  }

  @Test
  void argumentsAreKeptAndTheCommandIsArgumentZero() throws Exception {
    LaunchSpec spec =
        fixture.spec("sh", "-c", "printf '<%s>' \"$0\" \"$@\"", "zero", "", "a b", "ü");
    assertThat(fixture.run(spec).out()).isEqualTo("<zero><><a b><ü>");
    Finished cmdline = fixture.run(fixture.spec("cat", "/proc/self/cmdline"));
    assertThat(cmdline.out()).isEqualTo("cat\0/proc/self/cmdline\0");
  }

  @Test
  void childHoldsNoDescriptorButItsThree() throws Exception {
    int leak = Posix.open("/dev/null", 0, 0); // without close-on-exec, as a native library might
    for (boolean stdin : new boolean[] {true, false}) {
      Child child =
          fixture.start(with(fixture.spec("ls", "/proc/self/fd"), new Stdio.Pipes(stdin)));
      assertThat(LaunchFixture.finish(child).out()).isEqualTo("0\n1\n2\n3\n"); // 3: ls itself
    }
    Posix.close(leak);
  }

  @Test
  void childLeadsItsOwnSessionAndGroup() throws Exception {
    Finished stat = fixture.run(fixture.spec("cat", "/proc/self/stat"));
    String[] fields = stat.out().split(" ", -1);
    assertThat(fields[4]).as("process group").isEqualTo("" + stat.pid());
    assertThat(fields[5]).as("session").isEqualTo("" + stat.pid());
  }

  @Test
  void signalsAreAtTheirDefaultsAndNothingIsBlocked() throws Exception {
    String status = fixture.run(fixture.spec("cat", "/proc/self/status")).out();
    assertThat(status).contains("SigBlk:\t0000000000000000\n");
    assertThat(status).contains("SigIgn:\t0000000000000000\n");
    assertThat(status).contains("SigCgt:\t0000000000000000\n");
  }

  @Test
  void openingStdoutAgainWorks() throws Exception {
    Finished done =
        fixture.run(fixture.shell("echo a > /dev/stdout; echo b > /dev/stderr; echo c >&1"));
    assertThat(done.out()).isEqualTo("a\nc\n");
    assertThat(done.err()).isEqualTo("b\n");
  }

  @Test
  void childsEndsBlockAndTheAgentsDoNot() throws Exception {
    Child child = fixture.start(fixture.shell("yes | head -c 1000000; echo end >&2"));
    ChildOutput.Pipes pipes = (ChildOutput.Pipes) child.output();
    await().until(() -> Posix.read(pipes.stdoutFd(), ByteBuffer.allocateDirect(1)) == 1);
    assertThat(Posix.read(pipes.stderrFd(), ByteBuffer.allocateDirect(1))).isEqualTo(-Errno.EAGAIN);
    assertThat(LaunchFixture.readAll(pipes.stdoutFd())).hasSize(999_999);
    assertThat(LaunchFixture.readAll(pipes.stderrFd())).isEqualTo("end\n");
    assertThat(LaunchFixture.end(child)).isEqualTo(new Exit.Exited(0));
  }

  @Test
  void outputIsHandedOverOnce() throws Exception {
    Child child = fixture.start(fixture.spec("true"));
    LaunchFixture.finish(child);
    assertThatThrownBy(child::output).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void stdinIsReadToItsEndAndThenRefused() throws Exception {
    Child child = fixture.start(with(fixture.spec("cat"), new Stdio.Pipes(true)));
    assertThat(child.inputFd()).isPositive();
    assertThat(child.writeInput(direct("one\n"))).isEqualTo(4);
    assertThat(child.writeInput(direct("two\n"))).isEqualTo(4);
    child.closeInput();
    child.closeInput();
    assertThat(child.inputFd()).isEqualTo(-1);
    assertThat(child.writeInput(direct("three\n"))).isEqualTo(-Errno.EBADF);
    assertThat(LaunchFixture.finish(child).out()).isEqualTo("one\ntwo\n");
  }

  @Test
  void stdinOpenedAgainAfterItsEndGivesTheRestAndEndOfFile() throws Exception {
    for (String before : new String[] {"", "sleep 0.02; ", "sleep 0.3; "}) {
      Child child =
          fixture.start(with(fixture.shell(before + "cat /dev/stdin"), new Stdio.Pipes(true)));
      child.writeInput(direct("waiting in the pipe"));
      child.closeInput();
      assertThat(LaunchFixture.finish(child).out()).isEqualTo("waiting in the pipe");
    }
  }

  @Test
  void backgroundChildMayOpenStdinAfterTheLeadersEnd() throws Exception {
    LaunchSpec spec = fixture.shell("(sleep 0.1; cat /dev/stdin; echo over) <&0 &");
    Child child = fixture.start(with(spec, new Stdio.Pipes(true)));
    ChildOutput.Pipes pipes = (ChildOutput.Pipes) child.output();
    LaunchFixture.end(child);
    assertThat(LaunchFixture.readAll(pipes.stdoutFd())).isEqualTo("over\n");
    Posix.close(pipes.stderrFd());
    await().until(() -> Posix.status(factOf(child, Child.FIFO_STDIN)) == null);
  }

  @Test
  void inputToACommandThatNoLongerReadsIsABrokenPipe() throws Exception {
    Child child =
        fixture.start(
            with(fixture.shell("exec <&-; echo closed; sleep 1000"), new Stdio.Pipes(true)));
    ChildOutput.Pipes pipes = (ChildOutput.Pipes) child.output();
    await().until(() -> Posix.read(pipes.stdoutFd(), ByteBuffer.allocateDirect(10)) > 0);
    assertThat(child.writeInput(direct("x"))).isEqualTo(-Errno.EPIPE);
    LaunchFixture.kill(child);
    Posix.close(pipes.stdoutFd());
    Posix.close(pipes.stderrFd());
  }

  @Test
  void fullStdinAnswersAtOnce() throws Exception {
    Child child = fixture.start(with(fixture.spec("sleep", "1000"), new Stdio.Pipes(true)));
    ByteBuffer much = ByteBuffer.allocateDirect(1 << 20);
    assertThat(child.writeInput(much)).isBetween(4096L, (1L << 20) - 1);
    assertThat(child.writeInput(much)).isEqualTo(-Errno.EAGAIN);
    LaunchFixture.kill(child);
  }

  @Test
  void withoutStdinTheCommandReadsEndOfFile() throws Exception {
    Child child = fixture.start(fixture.spec("cat"));
    assertThat(child.inputFd()).isEqualTo(-1);
    assertThat(child.writeInput(direct("x"))).isEqualTo(-Errno.EBADF);
    assertThat(LaunchFixture.finish(child).exit()).isEqualTo(new Exit.Exited(0));
  }

  @Test
  void identityIsStableAndKnownAfterTheReaping() throws Exception {
    Child child = fixture.start(fixture.spec("true"));
    Finished done = LaunchFixture.finish(child);
    ProcessIdentity identity = child.identity();
    assertThat(identity.pid()).isEqualTo(done.pid());
    assertThat(identity.startTicks()).isPositive();
    assertThat(identity.bootId())
        .isEqualTo(Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip());
  }

  @Test
  void startTimeIsFoundBehindAnyName() {
    String tail = " S" + " 1".repeat(18) + " 4711 99";
    assertThat(ProcStat.field22(direct("12 (a b) c) (d)" + tail))).isEqualTo(4711);
    assertThat(ProcStat.field22(direct("12 (a" + tail))).isZero();
    assertThat(ProcStat.field22(direct(""))).isZero();
  }

  @Test
  void peekLeavesAZombieThatKeepsItsPidAndReapEndsIt() throws Exception {
    Child child = fixture.start(fixture.spec("true"));
    assertThatThrownBy(
            () -> {
              Child sleeping = fixture.start(fixture.spec("sleep", "1000"));
              try {
                sleeping.reap();
              } finally {
                LaunchFixture.kill(sleeping);
              }
            })
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("still runs");
    LaunchFixture.awaitExit(child);
    assertThat(child.peekExit()).isEqualTo(new Exit.Exited(0));
    assertThat(Files.exists(Path.of("/proc/" + child.pid()))).isTrue();
    assertThat(child.signal(0, Scope.LEADER)).isZero();
    assertThat(child.reap()).isEqualTo(new Exit.Exited(0));
    assertThat(child.reap()).isEqualTo(new Exit.Exited(0));
    assertThat(child.peekExit()).isEqualTo(new Exit.Exited(0));
    assertThat(child.signal(Signals.SIGKILL, Scope.LEADER)).isEqualTo(-Errno.ESRCH);
    child.close();
    child.close();
    assertThat(child.signal(Signals.SIGKILL, Scope.GROUP)).isEqualTo(-Errno.ESRCH);
  }

  @Test
  void groupSignalReachesBackgroundChildrenAlsoAfterTheLeaderWasReaped() throws Exception {
    Child child = fixture.start(fixture.shell("sleep 1000 & echo $!"));
    ChildOutput.Pipes pipes = (ChildOutput.Pipes) child.output();
    LaunchFixture.awaitExit(child);
    child.reap();
    int answer = child.signal(Signals.SIGKILL, Scope.GROUP);
    ByteBuffer pid = ByteBuffer.allocateDirect(20);
    Posix.read(pipes.stdoutFd(), pid);
    byte[] digits = new byte[pid.flip().remaining()];
    pid.get(digits);
    int background =
        Integer.parseInt(new String(digits, java.nio.charset.StandardCharsets.US_ASCII).strip());
    if (answer
        == -Errno.ESRCH) { // before Linux 6.9 nothing is signalled that might be someone else
      Tasks.kill(background, Signals.SIGKILL);
    } else {
      assertThat(answer).isZero();
    }
    await().until(() -> isGone(background));
    assertThat(LaunchFixture.readAll(pipes.stdoutFd())).isEmpty(); // every holder has ended
    Posix.close(pipes.stderrFd());
    child.close();
  }

  private static boolean isGone(int pid) throws Exception {
    Path stat = Path.of("/proc/" + pid + "/stat");
    return !Files.exists(stat) || Files.readString(stat).contains(") Z ");
  }

  @Test
  void childIsTheFirstToGoWhenMemoryRunsOut() throws Exception {
    Child child = fixture.start(fixture.spec("sleep", "1000"));
    assertThat(Files.readString(Path.of("/proc/" + child.pid() + "/oom_score_adj")))
        .isEqualTo("100\n");
    assertThat(Tasks.priority(child.pid())).isEqualTo(20);
    LaunchFixture.kill(child);
    assertThat(fixture.launcher.priorityFailures()).isZero();
  }

  @Test
  void factsNameTheFifosAndDrainedOnesGo() throws Exception {
    Child child = fixture.start(with(fixture.spec("cat"), new Stdio.Pipes(true)));
    assertThat(child.facts())
        .containsOnlyKeys(Child.FIFO_STDIN, Child.FIFO_STDOUT, Child.FIFO_STDERR);
    for (String path : child.facts().values()) {
      assertThat(requireNonNull(Posix.status(path)).isFifo()).isTrue();
      assertThat(requireNonNull(Posix.status(path)).permissions()).isEqualTo(0600);
    }
    child.outputDrained(Child.FIFO_STDERR);
    await().until(() -> Posix.status(factOf(child, Child.FIFO_STDERR)) == null);
    assertThat(Posix.status(factOf(child, Child.FIFO_STDOUT))).isNotNull();
    child.closeInput();
    LaunchFixture.finish(child);
    await().until(() -> Posix.status(factOf(child, Child.FIFO_STDOUT)) == null);
    await().until(() -> Posix.status(factOf(child, Child.FIFO_STDIN)) == null);
  }

  private static String factOf(Child child, String key) {
    return requireNonNull(child.facts().get(key));
  }

  @Test
  void noFifoServesTwoProcesses() throws Exception {
    List<String> paths = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      paths.addAll(fixture.run(fixture.spec("true")).child().facts().values());
    }
    assertThat(paths).doesNotHaveDuplicates().hasSize(200);
  }

  @Test
  void twoThousandStartsLeaveNothing() throws Exception {
    for (int i = 0; i < 50; i++) {
      fixture.run(fixture.spec("true"));
    }
    int threads = Thread.getAllStackTraces().size();
    await().until(() -> fixture.launcher.fifosReady() == FifoPool.READY);
    int before = descriptors();
    for (int i = 0; i < 2000; i++) {
      Child child = fixture.start(with(fixture.spec("true"), new Stdio.Pipes(i % 2 == 0)));
      switch (child.output()) {
        case ChildOutput.Pipes(int out, int err) -> {
          Posix.close(out);
          Posix.close(err);
        }
        case ChildOutput.Terminal _ -> throw new AssertionError("not asked for");
      }
      LaunchFixture.end(child);
    }
    await().until(() -> descriptors() <= before + 2);
    assertThat(Thread.getAllStackTraces().size()).isLessThanOrEqualTo(threads + 2);
    assertThat(requireNonNull(Tasks.waitid(Tasks.P_ALL, 0, Tasks.WEXITED | Tasks.WNOHANG)).error())
        .isEqualTo(-Errno.ECHILD);
  }

  private static int descriptors() {
    return requireNonNull(new java.io.File("/proc/self/fd").list()).length;
  }
}
