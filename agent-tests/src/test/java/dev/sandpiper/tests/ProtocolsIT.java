package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sandpiper.proto.process.ProcessInfo;
import dev.sandpiper.proto.process.Signal;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Event;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.RpcException;
import dev.sandpiper.tests.harness.Wire;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Every call of the process service, over each protocol, codec and version of HTTP that clients use.
final class ProtocolsIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  private static final Map<Wire, Processes> CLIENTS = new EnumMap<>(Wire.class);

  @AfterAll
  static void close() {
    CLIENTS.values().forEach(Processes::close);
  }

  private static Processes client(Wire wire) {
    return CLIENTS.computeIfAbsent(wire, it -> it.client(AGENT.get()));
  }

  @ParameterizedTest
  @EnumSource
  void startGivesPidThenOutputOfBothStreamsThenEnd(Wire wire) {
    Follower run = client(wire).run(Command.sh("echo out; echo err >&2; exit 3"));

    assertThat(run.pid()).isPositive();
    assertThat(run.stdout()).isEqualTo("out\n");
    assertThat(run.stderr()).isEqualTo("err\n");
    assertThat(run.end()).isEqualTo(new Event.End(3, true, "exit status 3", "exit status 3"));
  }

  @ParameterizedTest
  @EnumSource
  void everyByteValueArrivesUnchanged(Wire wire) {
    Follower run =
        client(wire)
            .run(Command.python("import sys; sys.stdout.buffer.write(bytes(range(256)) * 400)"));

    byte[] expected = new byte[256 * 400];
    for (int i = 0; i < expected.length; i++) {
      expected[i] = (byte) i;
    }
    assertThat(run.raw("stdout").toByteArray()).isEqualTo(expected);
  }

  @ParameterizedTest
  @EnumSource
  void connectFollowsWhatComesFromNowOnAndGetsTheSameEnd(Wire wire) {
    Processes processes = client(wire);
    try (Follower first = processes.start(Command.of("cat").stdin())) {
      processes.sendStdin(first.pid(), "before\n");
      first.await("stdout", "before\n");
      try (Follower second = processes.connect(first.pid())) {
        assertThat(second.pid()).isEqualTo(first.pid());
        processes.sendStdin(first.pid(), "after\n");
        processes.closeStdin(first.pid());

        assertThat(second.end()).isEqualTo(first.end());
        assertThat(second.stdout()).isEqualTo("after\n");
        assertThat(first.stdout()).isEqualTo("before\nafter\n");
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void listShowsWhatWasAskedForUntilTheEnd(Wire wire) {
    Processes processes = client(wire);
    Command command =
        Command.of("sleep", "600").tag("listed-" + wire).env("COLOUR", "blue").cwd("/tmp");
    try (Follower run = processes.start(command)) {
      ProcessInfo info = processes.listed(run.pid()).orElseThrow();
      assertThat(info.getTag()).isEqualTo("listed-" + wire);
      assertThat(info.getConfig()).isEqualTo(command.request().getProcess());

      processes.kill(run.pid());
      run.end();
      assertThat(processes.listed(run.pid())).isEmpty();
    }
  }

  @ParameterizedTest
  @EnumSource
  void sendInputAndCloseStdinFeedACommand(Wire wire) {
    Processes processes = client(wire);
    try (Follower run = processes.start(Command.of("wc", "-c").stdin())) {
      processes.sendStdin(run.pid(), "12345");
      processes.sendStdin(run.pid(), "");
      processes.sendStdin(run.pid(), "678");
      processes.closeStdin(run.pid());
      run.end();
      assertThat(run.stdout().strip()).isEqualTo("8");
    }
  }

  @ParameterizedTest
  @EnumSource
  void streamInputFeedsSeveralPiecesAndMaySwitchProcess(Wire wire) {
    Processes processes = client(wire);
    try (Follower one = processes.start(Command.of("cat").stdin().tag("one-" + wire));
        Follower two = processes.start(Command.of("cat").stdin())) {
      two.pid();
      one.pid();
      processes.streamInput(
          List.of(
              Processes.inputFor(Processes.tag("one-" + wire)),
              Processes.input("a"),
              Processes.input("b\n"),
              Processes.inputFor(Processes.pid(two.pid())),
              Processes.input("c\n")));
      processes.closeStdin(one.pid());
      processes.closeStdin(two.pid());
      one.end();
      two.end();
      assertThat(one.stdout()).isEqualTo("ab\n");
      assertThat(two.stdout()).isEqualTo("c\n");
    }
  }

  @ParameterizedTest
  @EnumSource
  void signalsEndACommandAndAreTold(Wire wire) {
    Processes processes = client(wire);
    try (Follower killed = processes.start(Command.of("sleep", "600"));
        Follower terminated = processes.start(Command.of("sleep", "600").tag("t-" + wire))) {
      processes.kill(killed.pid());
      terminated.pid();
      processes.signal(Processes.tag("t-" + wire), Signal.SIGNAL_SIGTERM);
      assertThat(killed.end())
          .isEqualTo(new Event.End(-1, false, "signal: killed", "signal: killed"));
      assertThat(terminated.end())
          .isEqualTo(new Event.End(-1, false, "signal: terminated", "signal: terminated"));
    }
  }

  @ParameterizedTest
  @EnumSource
  void aTerminalHasTheSizeThatUpdateGivesIt(Wire wire) {
    Processes processes = client(wire);
    try (Follower run =
        processes.start(Command.sh("stty size; read line; stty size").pty(81, 25))) {
      run.await("pty", "25 81");
      processes.resize(run.pid(), 120, 40);
      processes.sendPty(run.pid(), "\n");
      run.end();
      assertThat(run.pty()).contains("40 120");
      assertThat(run.stdout()).isEmpty();
    }
  }

  @ParameterizedTest
  @EnumSource
  void anErrorHasTheSameCodeInEveryFormat(Wire wire) {
    Processes processes = client(wire);
    assertThatThrownBy(() -> processes.kill(4_000_000))
        .isInstanceOfSatisfying(
            RpcException.class,
            e -> {
              assertThat(e.code()).isEqualTo("not_found");
              assertThat(e.detail()).isEqualTo("process with pid 4000000 not found");
            });
    try (Follower run = processes.start(Command.of("no-such-command-ü"))) {
      assertThat(run.error().detail()).contains("no-such-command-ü");
      assertThat(run.started()).isFalse();
    }
  }
}
