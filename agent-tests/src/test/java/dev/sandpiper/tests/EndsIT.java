package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.proto.process.ProcessInput;
import dev.sandpiper.proto.process.ProcessSelector;
import dev.sandpiper.proto.process.Signal;
import dev.sandpiper.proto.process.UpdateRequest;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Deadline;
import dev.sandpiper.tests.harness.Event;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.RpcException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.assertj.core.api.AbstractThrowableAssert;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// How processes end, what of it is told to whom, and what the calls on processes answer when they cannot.
final class EndsIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  private final Processes processes = AGENT.get().json();

  @TempDir Path directory;

  @Test
  void everyExitCodeIsToldAsItIs() {
    for (int code = 0; code <= 255; code++) {
      String status = "exit status " + code;
      assertThat(processes.run(Command.sh("exit " + code)).end())
          .isEqualTo(new Event.End(code, true, status, code == 0 ? null : status));
    }
  }

  @ParameterizedTest(name = "signal {0} is told as: {1}")
  @CsvSource({
    "1,hangup",
    "2,interrupt",
    "3,quit",
    "4,illegal instruction",
    "5,trace/breakpoint trap",
    "6,aborted",
    "7,bus error",
    "8,floating point exception",
    "9,killed",
    "10,user defined signal 1",
    "11,segmentation fault",
    "12,user defined signal 2",
    "13,broken pipe",
    "14,alarm clock",
    "15,terminated",
    "16,stack fault",
    "24,CPU time limit exceeded",
    "25,file size limit exceeded",
    "26,virtual timer expired",
    "27,profiling timer expired",
    "29,I/O possible",
    "30,power failure",
    "31,bad system call",
    "34,signal 34"
  })
  void aSignalIsToldByItsName(int signal, String name) {
    Event.End end =
        processes.run(Command.sh("ulimit -c 0; kill -" + signal + " $$; sleep 60")).end();

    String status = "signal: " + name;
    assertThat(end).isEqualTo(new Event.End(-1, false, status, status));
  }

  @Test
  void aCoreDumpIsTold() throws Exception {
    String pattern = Files.readString(Path.of("/proc/sys/kernel/core_pattern")).strip();
    Event.End end =
        processes
            .run(Command.sh("ulimit -c unlimited; kill -ABRT $$; sleep 60").cwd(directory))
            .end();

    String[] files = directory.toFile().list();
    if (files != null && files.length > 0) {
      assertThat(end.status()).isEqualTo("signal: aborted (core dumped)");
    } else {
      Measured.print("no core file with core_pattern %s: %s", pattern, end.status());
      assertThat(end.status()).startsWith("signal: aborted");
    }
    assertThat(end.error()).isEqualTo(end.status());
    assertThat(end.exitCode()).isEqualTo(-1);
    assertThat(end.exited()).isFalse();
  }

  @Test
  void exit137IsNotSigkill() {
    assertThat(processes.run(Command.sh("exit 137")).end())
        .isEqualTo(new Event.End(137, true, "exit status 137", "exit status 137"));
    assertThat(processes.run(Command.sh("kill -KILL $$")).end())
        .isEqualTo(new Event.End(-1, false, "signal: killed", "signal: killed"));
  }

  @Test
  void anEndIsKeptForLateConnectsByPidAndByTag() {
    Follower run = processes.run(Command.sh("echo gone; exit 5").tag("late"));

    try (Follower byPid = processes.connect(run.pid());
        Follower byTag = processes.connect(Processes.tag("late"))) {
      assertThat(byPid.end()).isEqualTo(run.end());
      assertThat(byTag.end()).isEqualTo(run.end());
      assertThat(byPid.pid()).isEqualTo(run.pid());
      assertThat(byTag.pid()).isEqualTo(run.pid());
      assertThat(byPid.stdout()).as("no replay").isEmpty();
    }
  }

  @Test
  void aKeptEndIsForgottenAfterItsTime() {
    try (AgentProcess agent = AgentProcess.builder().flag("--retain-ends", "300ms").start()) {
      int pid = agent.json().run(Command.of("true")).pid();
      await("forgotten")
          .until(() -> {
            try (Follower late = agent.json().connect(pid)) {
              RpcException error = late.over().error();
              return error != null && error.code().equals("not_found");
            }
          });
    }
  }

  @Test
  void aKeptEndServesConnectOnly() {
    Follower run = processes.run(Command.sh("exit 5").tag("only-connect"));
    int pid = run.pid();
    String message = "process with pid " + pid + " not found";

    assertError(() -> processes.kill(pid), "not_found", message);
    assertError(() -> processes.sendStdin(pid, "x"), "not_found", message);
    assertError(() -> processes.closeStdin(pid), "not_found", message);
    assertError(() -> processes.resize(pid, 80, 24), "not_found", message);
    assertError(
        () -> processes.signal(Processes.tag("only-connect"), Signal.SIGNAL_SIGTERM),
        "not_found",
        "process with tag only-connect not found");
    assertThat(processes.listed(pid)).isEmpty();
  }

  @Test
  void aNewProcessOfTheSameTagTakesTheKeptEndsPlace() {
    Follower first = processes.run(Command.sh("exit 5").tag("again"));
    try (Follower second = processes.start(Command.of("cat").stdin().tag("again"))) {
      second.pid();
      try (Follower connected = processes.connect(Processes.tag("again"))) {
        assertThat(connected.pid()).isEqualTo(second.pid()).isNotEqualTo(first.pid());
        processes.closeStdin(second.pid());
        assertThat(connected.end().exitCode()).isZero();
      }
    }
  }

  @Test
  void anUnknownProcessIsNotFound() {
    try (Follower byPid = processes.connect(4_000_001);
        Follower byTag = processes.connect(Processes.tag("nobody"))) {
      assertError(byPid.error(), "not_found", "process with pid 4000001 not found");
      assertError(byTag.error(), "not_found", "process with tag nobody not found");
    }
  }

  @Test
  void aSelectorThatSelectsNothingIsUnimplemented() {
    ProcessSelector unset = ProcessSelector.getDefaultInstance();
    assertCode(() -> processes.signal(unset, Signal.SIGNAL_SIGKILL), "unimplemented");
    assertCode(() -> processes.sendInput(unset, Processes.stdin("x")), "unimplemented");
    assertCode(() -> processes.update(UpdateRequest.getDefaultInstance()), "unimplemented");
    try (Follower connected = processes.connect(unset)) {
      assertThat(connected.error().code()).isEqualTo("unimplemented");
    }
  }

  @Test
  void callsThatDoNotFitTheProcessSayWhy() {
    try (Follower plain = processes.start(Command.of("sleep", "600"));
        Follower terminal = processes.start(Command.of("sleep", "600").pty(80, 24))) {
      int pid = plain.pid();
      int pty = terminal.pid();
      assertError(
          () -> processes.resize(pid, 80, 24),
          "internal",
          "error resizing tty: tty not assigned to process");
      assertCode(() -> processes.sendPty(pid, "x"), "internal");
      assertCode(() -> processes.sendStdin(pty, "x"), "internal");
      assertError(
          () -> processes.sendStdin(pid, "x"),
          "internal",
          "error writing to stdin: stdin not enabled or closed");
      assertCode(
          () -> processes.sendInput(Processes.pid(pid), ProcessInput.getDefaultInstance()),
          "unimplemented");
      assertCode(
          () -> processes.signal(Processes.pid(pid), Signal.SIGNAL_UNSPECIFIED), "unimplemented");
      assertCode(() -> processes.closeStdin(pty), "unknown");
      processes.update(UpdateRequest.newBuilder().setProcess(Processes.pid(pid)).build());
      processes.kill(pid);
      processes.kill(pty);
      plain.end();
      terminal.end();
    }
  }

  @Test
  void closeStdinMayBeRepeatedAndIsNoErrorWithoutStdin() {
    try (Follower with =
            processes.start(Command.sh("cat; read go < /dev/null; sleep 600").stdin());
        Follower without = processes.start(Command.of("sleep", "600"))) {
      processes.closeStdin(with.pid());
      processes.closeStdin(with.pid());
      processes.closeStdin(without.pid());
      assertError(
          () -> processes.sendStdin(with.pid(), "x"),
          "internal",
          "error writing to stdin: stdin not enabled or closed");
      processes.kill(with.pid());
      processes.kill(without.pid());
      with.end();
      without.end();
    }
  }

  @Test
  void inputForACommandThatClosedItsEndIsAnError() {
    try (Follower run = processes.start(Command.sh("exec <&-; echo closed; sleep 600").stdin())) {
      run.await("stdout", "closed");
      assertThatThrownBy(() -> processes.sendStdin(run.pid(), "x"))
          .isInstanceOfSatisfying(
              RpcException.class,
              e -> {
                assertThat(e.code()).isEqualTo("internal");
                assertThat(e.detail()).startsWith("error writing to stdin: ");
              });
      processes.kill(run.pid());
      run.end();
    }
  }

  @Test
  void theTimeLimitOfStartKillsTheProcessAndEndsTheCallWithDeadlineExceeded() {
    long started = System.nanoTime();
    try (Follower run = processes.start(Command.sh("echo here; sleep 600").timeLimitMillis(1000));
        Follower other = processes.connect(run.await("stdout", "here").pid())) {
      assertError(run.error(), "deadline_exceeded", "context deadline exceeded");
      assertThat(other.end())
          .isEqualTo(new Event.End(-1, false, "signal: killed", "signal: killed"));
      Measured.print(
          "a limit of 1 s ended after %.2f s", Measured.seconds(Measured.since(started)));
      await("the process is gone").until(() -> !ProcFs.exists(run.pid()));
    }
  }

  @Test
  void aTimeLimitNeverEndsInAnEndEvent() {
    for (int limit = 1; limit <= 40; limit += 3) {
      try (Follower run = processes.start(Command.of("sleep", "600").timeLimitMillis(limit))) {
        assertThat(run.error().code()).isEqualTo("deadline_exceeded");
      }
    }
  }

  @Test
  void theTimeLimitOfConnectEndsOnlyThatCall() {
    try (Follower run = processes.start(Command.of("cat").stdin());
        Follower limited =
            processes.connect(Processes.pid(run.pid()), Map.of("Connect-Timeout-Ms", "200"))) {
      assertError(limited.error(), "deadline_exceeded", "context deadline exceeded");
      processes.closeStdin(run.pid());
      assertThat(run.end().exitCode()).isZero();
    }
  }

  /// Only Connect's own header is the process's time limit.
  @Test
  void theDeadlineOfGrpcEndsOnlyTheCall() {
    try (Follower limited =
        AGENT
            .get()
            .grpcWeb()
            .start(Command.of("cat").stdin().header("Grpc-Timeout", "300m").tag("grpc-deadline"))) {
      assertThat(limited.error().code()).isEqualTo("deadline_exceeded");
      try (Follower again = processes.connect(Processes.tag("grpc-deadline"))) {
        processes.closeStdin(again.pid());
        assertThat(again.end().exitCode()).isZero();
      }
    }
  }

  @Test
  void aTimeLimitThatIsNoNumberIsRefused() {
    for (String limit : new String[] {"soon", "1.5", "12345678901"}) {
      try (Follower run = processes.start(Command.of("true").header("Connect-Timeout-Ms", limit))) {
        assertThat(run.error().code()).as(limit).isEqualTo("invalid_argument");
      }
    }
  }

  @Test
  void aQuietCallGetsKeepalives() {
    try (Follower run =
            processes.start(Command.of("cat").stdin().header("Keepalive-Ping-Interval", "1"));
        Follower connected =
            processes.connect(Processes.pid(run.pid()), Map.of("Keepalive-Ping-Interval", "1"))) {
      run.awaitKeepAlive().awaitKeepAlive();
      connected.awaitKeepAlive();
      processes.closeStdin(run.pid());
      assertThat(run.end().exitCode()).isZero();
      assertThat(connected.end().exitCode()).isZero();
    }
  }

  @Test
  void aClientThatGoesAwayLeavesTheProcessRunning() {
    Follower run = processes.start(Command.sh("read line; echo $line; exit 4").stdin());
    int pid = run.pid();
    run.close();

    assertThat(processes.listed(pid)).isPresent();
    try (Follower again = processes.connect(pid)) {
      again.pid();
      processes.sendStdin(pid, "still here\n");
      assertThat(again.end().exitCode()).isEqualTo(4);
      assertThat(again.stdout()).isEqualTo("still here\n");
    }
  }

  @Test
  void theLimitOfAProcessOutlivesItsClient() {
    Follower run = processes.start(Command.of("sleep", "600").timeLimitMillis(1000));
    int pid = run.pid();
    run.close();

    await("the limit").atMost(Deadline.PATIENCE).until(() -> !ProcFs.exists(pid));
  }

  /// The leader is gone, a child holds its streams: `end` comes within the drain limit, and what the child prints later
  /// still becomes records.
  @Test
  void aBackgroundChildNeitherDelaysTheEndNorLosesItsOutput() throws Exception {
    Path go = directory.resolve("go");
    long started = System.nanoTime();
    Follower run =
        processes.run(
            Command.sh("(while [ ! -e " + go + " ]; do sleep 0.05; done; echo later) & echo now")
                .tag("background"));
    Duration took = Measured.since(started);

    assertThat(run.end().exitCode()).isZero();
    assertThat(run.stdout()).isEqualTo("now\n");
    Measured.print("end with a background child after %.2f s", Measured.seconds(took));
    assertThat(took).isLessThan(Deadline.PATIENCE);
    AGENT.get().records().awaitEnd("background");

    Files.createFile(go);
    AGENT
        .get()
        .records()
        .await(
            "the child's line",
            it -> it.string("tag").equals("background") && it.message().equals("later"));
  }

  /// Only what the kernel still held when the leader ended, and nothing holds the stream: no waiting at all.
  @Test
  void theLastBytesBeforeTheExitPrecedeTheEnd() {
    for (int i = 0; i < 50; i++) {
      Follower run = processes.run(Command.of("head", "-c", "60000", "/dev/zero"));
      assertThat(run.bytes()).isEqualTo(60_000);
    }
  }

  private static void assertError(RpcException error, String code, String message) {
    assertThat(error.code()).isEqualTo(code);
    assertThat(error.detail()).isEqualTo(message);
  }

  private static void assertError(ThrowingCallable call, String code, String message) {
    assertCode(call, code)
        .satisfies(e -> assertThat(((RpcException) e).detail()).isEqualTo(message));
  }

  private static AbstractThrowableAssert<?, ? extends Throwable> assertCode(
      ThrowingCallable call, String code) {
    return assertThatThrownBy(call)
        .isInstanceOf(RpcException.class)
        .satisfies(e -> assertThat(((RpcException) e).code()).isEqualTo(code));
  }
}
