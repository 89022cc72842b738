package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Event;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Processes;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/// Terminals: size, keys, and no byte lost at either end.
final class PtyIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  private final Processes processes = AGENT.get().json();

  private Follower shell() {
    Follower run =
        processes.start(
            Command.of("/bin/bash", "--norc", "--noprofile", "-i")
                .env("TERM", "dumb")
                .env("PS1", "ready> ")
                .pty(80, 24));
    run.await("pty", "ready> ");
    return run;
  }

  @Test
  void theSizeIsThereFromTheStart() {
    assertThat(processes.run(Command.of("stty", "size").pty(132, 43)).pty())
        .isEqualTo("43 132\r\n");
  }

  @Test
  void resizeReachesTheProgramAsASignal() {
    try (Follower run =
        processes.start(
            Command.sh("trap 'stty size; exit 0' WINCH; echo set; while :; do sleep 0.05; done")
                .pty(80, 24))) {
      run.await("pty", "set");
      processes.resize(run.pid(), 111, 37);
      assertThat(run.end().exitCode()).isZero();
      assertThat(run.pty()).contains("37 111");
    }
  }

  @Test
  void inputIsEchoedAndReachesTheProgram() {
    try (Follower run =
        processes.start(Command.sh("read line; echo \"got [$line]\"").pty(80, 24))) {
      processes.sendPty(run.pid(), "héllo\n");
      assertThat(run.end().exitCode()).isZero();
      assertThat(run.pty()).isEqualTo("héllo\r\ngot [héllo]\r\n");
    }
  }

  /// Waits until a program that the shell started has the terminal and waits for something, so that a key reaches it
  /// and not the shell.
  private static void awaitForeground(Follower shell) {
    await("a program in the foreground")
        .until(() -> {
          long group = ProcFs.foregroundGroup(shell.pid());
          return group != shell.pid() && ProcFs.state(group).equals("S");
        });
  }

  @Test
  void ctrlCReachesTheForegroundGroup() {
    try (Follower run = shell()) {
      processes.sendPty(run.pid(), "sleep 600 | cat\n");
      awaitForeground(run);
      processes.sendPty(run.pid(), "\u0003");
      run.await("pty", "^C");
      processes.sendPty(run.pid(), "echo code=$?=\n");
      run.await("pty", "code=130=");
      processes.sendPty(run.pid(), "exit 0\n");
      assertThat(run.end().exitCode()).isZero();
    }
  }

  @Test
  void ctrlBackslashReachesTheForegroundGroup() {
    try (Follower run = shell()) {
      processes.sendPty(run.pid(), "ulimit -c 0; sleep 600\n");
      awaitForeground(run);
      processes.sendPty(run.pid(), "\u001c");
      run.await("pty", "Quit");
      processes.sendPty(run.pid(), "echo code=$?=\n");
      run.await("pty", "code=131=");
      processes.sendPty(run.pid(), "exit 0\n");
      assertThat(run.end().exitCode()).isZero();
    }
  }

  @Test
  void ctrlZAndForegroundWork() {
    try (Follower run = shell()) {
      processes.sendPty(run.pid(), "cat\n");
      awaitForeground(run);
      processes.sendPty(run.pid(), "\u001a");
      run.await("pty", "Stopped");
      await("the shell has the terminal again")
          .until(() -> ProcFs.foregroundGroup(run.pid()) == run.pid());
      processes.sendPty(run.pid(), "fg\n");
      awaitForeground(run);
      processes.sendPty(run.pid(), "again\n");
      run.await("pty", "again\r\nagain\r\n");
      processes.sendPty(run.pid(), "\u0004");
      await("the shell has the terminal again")
          .until(() -> ProcFs.foregroundGroup(run.pid()) == run.pid());
      processes.sendPty(run.pid(), "exit 3\n");
      assertThat(run.end().exitCode()).isEqualTo(3);
    }
  }

  @Test
  void ctrlDIsEndOfFile() {
    try (Follower run = processes.start(Command.of("wc", "-l").pty(80, 24))) {
      processes.sendPty(run.pid(), "a\nb\n\u0004");
      assertThat(run.end().exitCode()).isZero();
      assertThat(run.pty()).endsWith("2\r\n");
    }
  }

  @Test
  void theLastOutputIsKept() {
    for (int i = 0; i < 30; i++) {
      Follower run = processes.run(Command.of("seq", "1", "2000").pty(80, 24));
      assertThat(run.pty().lines().toList()).hasSize(2000).endsWith("1999", "2000");
    }
  }

  @Test
  void muchOutputStaysWhole() {
    Follower run = AGENT.get().binary().run(Command.of("seq", "1", "200000").pty(80, 24));
    List<String> lines = run.pty().lines().toList();
    assertThat(lines).hasSize(200_000);
    for (int i = 0; i < lines.size(); i++) {
      assertThat(lines.get(i)).isEqualTo(Integer.toString(i + 1));
    }
  }

  @Test
  void killHangsUpWhateverRunsOnTheTerminal() {
    try (Follower run = processes.start(Command.of("sleep", "600").pty(80, 24))) {
      processes.kill(run.pid());
      assertThat(run.end()).isEqualTo(new Event.End(-1, false, "signal: killed", "signal: killed"));
    }
  }

  @Test
  void severalClientsSeeOneTerminal() {
    try (Follower one = shell();
        Follower two = processes.connect(one.pid())) {
      two.pid();
      processes.sendPty(one.pid(), "echo sh''ared\n");
      one.await("pty", "\nshared\r\n");
      two.await("pty", "\nshared\r\n");
      processes.sendPty(one.pid(), "exit 0\n");
      assertThat(two.end()).isEqualTo(one.end());
    }
  }

  @Test
  void everyByteMayBeTyped() {
    try (Follower run =
        processes.start(
            Command.sh("stty raw -echo; echo set; head -c 6 | od -An -tx1").pty(80, 24))) {
      run.await("pty", "set");
      processes.sendPty(run.pid(), "\u0003\u0004\u001c\u007f\r\n");
      assertThat(run.end().exitCode()).isZero();
      assertThat(run.pty()).contains("03 04 1c 7f 0d 0a");
    }
  }

  @Test
  void aProgramSeesATerminalOnAllThreeStreams() {
    assertThat(
            processes
                .run(Command.sh("test -t 0 && test -t 1 && test -t 2 && echo yes").pty(80, 24))
                .pty())
        .isEqualTo("yes\r\n");
  }
}
