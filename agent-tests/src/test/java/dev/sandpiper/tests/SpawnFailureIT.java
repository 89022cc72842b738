package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.tests.harness.Account;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Event;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.RpcException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/// A command that cannot be started is answered with an error that names what was wrong, without a `start`, and leaves
/// no process, descriptor, FIFO or record behind.
final class SpawnFailureIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  @TempDir Path directory;

  // More than the descriptors that come and go by themselves: connections, and pipes made ahead.
  private static final int TRIES = 20;
  private static final int COMING_AND_GOING = 10;

  private int descriptorsBefore;

  @BeforeEach
  void countWhatThereIs() {
    // One of each kind first, so that what is opened once for all is open.
    AGENT.get().json().run(Command.of("true"));
    refuse(Command.of("no-such-command"));
    await("no process left").until(() -> AGENT.get().json().list().isEmpty());
    descriptorsBefore = ProcFs.descriptors(AGENT.get().pid()).size();
  }

  @AfterEach
  void nothingIsLeftBehind() {
    long agent = AGENT.get().pid();
    await("descriptors as before")
        .until(
            () -> ProcFs.descriptors(agent).size(),
            it -> it < descriptorsBefore + COMING_AND_GOING);
    assertThat(ProcFs.zombiesOf(agent)).isEmpty();
    assertThat(AGENT.get().json().list()).isEmpty();
    assertThat(AGENT.get().records().all())
        .noneMatch(record -> record.has("tag") && record.string("tag").equals("refused"));
  }

  /// Asks for it many times, so that whatever each leaves behind would be seen.
  private static RpcException refuse(Command command) {
    RpcException last = refuseOnce(command);
    for (int i = 1; i < TRIES; i++) {
      assertThat(refuseOnce(command)).hasMessage(last.getMessage());
    }
    return last;
  }

  private static RpcException refuseOnce(Command command) {
    try (Follower run = AGENT.get().json().start(command.tag("refused"))) {
      RpcException error = run.error();
      assertThat(run.started()).as("no start event").isFalse();
      return error;
    }
  }

  @Test
  void aCommandThatIsNotFound() {
    RpcException error = refuse(Command.of("no-such-command", "x"));
    assertThat(error.code()).isIn("invalid_argument", "not_found");
    assertThat(error.detail()).contains("no-such-command").containsIgnoringCase("not found");
    assertThat(refuse(Command.of("/no/such/command")).detail()).contains("/no/such/command");
  }

  @Test
  void aCommandThatIsNotExecutable() throws Exception {
    Path plain = Files.writeString(directory.resolve("plain"), "echo hello\n");

    RpcException error = refuse(Command.of(plain.toString()));

    assertThat(error.detail()).contains(plain.toString());
    assertThat(error.detail())
        .containsIgnoringCase("execut")
        .doesNotContainIgnoringCase("not found");
  }

  @Test
  void aDirectoryInPlaceOfACommand() {
    assertThat(refuse(Command.of(directory.toString())).detail()).contains(directory.toString());
  }

  @Test
  void noCommandAtAll() {
    assertThat(refuse(Command.of("")).code()).isEqualTo("invalid_argument");
  }

  @Test
  void aNameThatIsNotOnThePathOfTheRequest() {
    assertThat(refuse(Command.of("ls").env("PATH", directory.toString())).detail())
        .contains("'ls'");
  }

  @Test
  void aWorkingDirectoryThatIsMissing() {
    Path missing = directory.resolve("missing");
    for (Command command :
        new Command[] {
          Command.of("true").cwd(missing), Command.of("true").cwd(missing).pty(80, 24)
        }) {
      RpcException error = refuse(command);
      assertThat(error.code()).isEqualTo("invalid_argument");
      assertThat(error.detail()).isEqualTo("cwd '" + missing + "' does not exist");
    }
  }

  @Test
  void aWorkingDirectoryThatIsAFile() throws Exception {
    Path file = Files.createFile(directory.resolve("file"));

    RpcException error = refuse(Command.of("true").cwd(file));

    assertThat(error.code()).isEqualTo("invalid_argument");
    assertThat(error.detail()).contains(file.toString()).contains("not a directory");
  }

  @Test
  void aWorkingDirectoryThatTheUserMayNotEnter() throws Exception {
    try (Account account = new Account()) {
      Path closed = Files.createDirectory(directory.resolve("closed"));
      Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
      Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("rwx------"));

      RpcException error = refuse(Command.of("true").as(account.name()).cwd(closed));

      assertThat(error.code()).isEqualTo("invalid_argument");
      assertThat(error.detail()).contains(closed.toString()).contains("ermission denied");
      AGENT.get().json().run(Command.of("true").cwd(closed));
    }
  }

  @Test
  void theHomeOfAnotherUserByName() {
    assertThat(refuse(Command.of("true").cwd("~somebody/x")).code()).isEqualTo("invalid_argument");
  }

  @Test
  void anUnknownUser() {
    RpcException error = refuse(Command.of("true").as("nobody-knows-me"));
    assertThat(error.code()).isEqualTo("unauthenticated");
    assertThat(error.detail()).isEqualTo("invalid username: 'nobody-knows-me'");
  }

  @Test
  void aCommandThatTheUserMayNotRun() throws Exception {
    try (Account account = new Account()) {
      Path script = Files.writeString(directory.resolve("script"), "#!/bin/sh\necho hi\n");
      Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
      Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));

      RpcException error = refuse(Command.of(script.toString()).as(account.name()));

      assertThat(error.detail()).contains(script.toString());
      assertThat(AGENT.get().json().run(Command.of(script.toString())).stdout()).isEqualTo("hi\n");
    }
  }

  @Test
  void aNulByteInArgumentsOrEnvironment() {
    for (Command command :
        new Command[] {
          Command.of("echo", "a\0b"),
          Command.of("ec\0ho"),
          Command.of("echo").env("A", "b\0c"),
          Command.of("echo").cwd("/tmp\0x")
        }) {
      RpcException error = refuse(command);
      assertThat(error.code()).isEqualTo("invalid_argument");
      assertThat(error.detail()).contains("NUL");
    }
  }

  @Test
  void anInterpreterThatIsMissing() throws Exception {
    Path script = Files.writeString(directory.resolve("script"), "#!/no/interpreter\n");
    Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));

    assertThat(refuse(Command.of(script.toString())).detail()).contains(script.toString());
  }

  @Test
  void argumentsThatAreTooLong() {
    RpcException error = refuse(Command.of("echo", "x".repeat(200_000)));
    assertThat(error.detail()).containsIgnoringCase("too long");
  }

  /// So many commands that the agent has no descriptor left: the next is refused, and when they are gone all is well.
  @Test
  void moreCommandsThanThereAreDescriptors() {
    try (AgentProcess agent =
        AgentProcess.builder().via("/bin/sh", "-c", "ulimit -n 200 && exec \"$@\"", "sh").start()) {
      assertRefusedWhenThereIsNoMore(agent, 200);
    }
  }

  /// The same with the kernel's limit on a user's processes.
  @Test
  void moreCommandsThanTheUserMayHaveProcesses() {
    try (Account account = new Account();
        AgentProcess agent =
            AgentProcess.builder().as(account).via("prlimit", "--nproc=120").start()) {
      assertRefusedWhenThereIsNoMore(agent, 200);
    }
  }

  private static void assertRefusedWhenThereIsNoMore(AgentProcess agent, int atMost) {
    Processes processes = agent.json();
    List<Integer> running = new ArrayList<>();
    RpcException refusal = null;
    while (refusal == null) {
      // Each client leaves at once, so that its connection takes no descriptor.
      try (Follower run = processes.start(Command.of("sleep", "600"))) {
        if (run.next() instanceof Event.Start(int pid)) {
          running.add(pid);
        } else {
          refusal = run.error();
        }
      }
      assertThat(running).hasSizeLessThan(atMost);
    }
    Measured.print("after %d commands: %s", running.size(), refusal);
    assertThat(refusal.code()).isNotIn("unavailable", "canceled", "unknown");
    assertThat(refusal.detail()).contains("sleep");
    assertThat(processes.list()).hasSameSizeAs(running);
    running.forEach(processes::kill);
    await("all are gone").until(() -> processes.list().isEmpty());
    assertThat(processes.run(Command.of("echo", "again")).stdout()).isEqualTo("again\n");
  }
}
