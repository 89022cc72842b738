package dev.sandpiper.agent.launch;

import static dev.sandpiper.agent.launch.LaunchFixture.in;
import static dev.sandpiper.agent.launch.LaunchFixture.with;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.accounts.Users;
import dev.sandpiper.agent.launch.LaunchException.Reason;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class LaunchFailureTest {
  @TempDir Path dir;
  private LaunchFixture fixture;
  private List<String> before;

  @BeforeEach
  void open() throws Exception {
    // Loaded while its class file can still be opened.
    assertThat(Errno.describe(-Errno.EMFILE)).isNotEmpty();
    fixture = new LaunchFixture(dir);
    await().until(() -> fixture.launcher.fifosReady() == FifoPool.READY);
    before = descriptors();
  }

  /// Nothing may be left by any of these tests: no descriptor beyond the prepared FIFOs, no process, no FIFO.
  @AfterEach
  void leavesNothing() {
    assertThat(requireNonNull(Tasks.waitid(Tasks.P_ALL, 0, Tasks.WEXITED | Tasks.WNOHANG)).error())
        .isEqualTo(-Errno.ECHILD);
    await().untilAsserted(() -> assertThat(descriptors()).hasSizeLessThanOrEqualTo(before.size()));
    fixture.close();
    assertThat(dir.resolve("fifo")).doesNotExist();
  }

  private static List<String> descriptors() {
    return Arrays.asList(requireNonNull(new java.io.File("/proc/self/fd").list()));
  }

  private LaunchException failure(LaunchSpec spec) {
    return requireNonNull(
        catchThrowableOfType(LaunchException.class, () -> fixture.start(spec).close()),
        "it started");
  }

  private Path script(String name, String text, String permissions) throws Exception {
    Path file = Files.writeString(dir.resolve(name), text);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(permissions));
    return file;
  }

  @Test
  void commandThatDoesNotExist() {
    LaunchException byName = failure(fixture.spec("no-such-command"));
    assertThat(byName.reason()).isEqualTo(Reason.COMMAND_NOT_FOUND);
    assertThat(byName)
        .hasMessage("command 'no-such-command' was not found on PATH '" + LaunchFixture.PATH + "'");
    LaunchException byPath = failure(fixture.spec("/no/such"));
    assertThat(byPath.reason()).isEqualTo(Reason.COMMAND_NOT_FOUND);
    assertThat(byPath).hasMessage("command '/no/such' was not found: /no/such does not exist");
    assertThat(failure(fixture.spec("/etc/passwd/x")).reason()).isEqualTo(Reason.COMMAND_NOT_FOUND);
  }

  @Test
  void commandBeginningWithADashIsSimplyNotFound() {
    LaunchException failure = failure(fixture.spec("-n", "5", "true"));
    assertThat(failure.reason()).isEqualTo(Reason.COMMAND_NOT_FOUND);
    assertThat(failure).hasMessageContaining("'-n'");
  }

  @Test
  void emptyCommand() {
    LaunchException failure = failure(fixture.spec(""));
    assertThat(failure.reason()).isEqualTo(Reason.COMMAND_NOT_FOUND);
    assertThat(failure).hasMessage("no command was given");
  }

  @Test
  void commandThatMayNotRun() throws Exception {
    Path plain = script("plain", "#!/bin/sh\n", "rw-r--r--");
    LaunchException failure = failure(fixture.spec(plain.toString()));
    assertThat(failure.reason()).isEqualTo(Reason.COMMAND_NOT_EXECUTABLE);
    assertThat(failure).hasMessageContaining(plain + ": permission denied");
    assertThat(failure(fixture.spec("/etc")).getMessage())
        .isEqualTo("command '/etc' is not executable: /etc is a directory");
    Map<String, String> path = Map.of("PATH", dir + ":/usr/bin");
    assertThat(failure(LaunchFixture.env(fixture.spec("plain"), path)).reason())
        .isEqualTo(Reason.COMMAND_NOT_EXECUTABLE);
  }

  @Test
  void laterDirectoryOfThePathIsUsedWhenAnEarlierOneHasNothingToRun() throws Exception {
    script("true", "not for you", "rw-r--r--");
    Map<String, String> path = Map.of("PATH", "/none:" + dir + "::/usr/bin:/bin");
    assertThat(fixture.run(LaunchFixture.env(fixture.spec("true"), path)).exit())
        .isEqualTo(new Exit.Exited(0));
  }

  @Test
  void withoutAPathTheSystemsDirectoriesAreSearched() throws Exception {
    assertThat(fixture.run(LaunchFixture.env(fixture.spec("true"), Map.of())).exit())
        .isEqualTo(new Exit.Exited(0));
  }

  @Test
  void missingInterpreter() throws Exception {
    Path script = script("script", "#!/no/such/interpreter\n", "rwxr-xr-x");
    LaunchException failure = failure(fixture.spec(script.toString()));
    assertThat(failure.reason()).isEqualTo(Reason.COMMAND_NOT_EXECUTABLE);
    assertThat(failure).hasMessageContaining("interpreter or loader does not exist");
  }

  @Test
  void scriptWithoutAFirstLineForTheKernelIsTheShells() throws Exception {
    Path script = script("script", "echo \"$0 $1\"\n", "rwxr-xr-x");
    assertThat(fixture.run(fixture.spec(script.toString(), "one")).out())
        .isEqualTo(script + " one\n");
  }

  @Test
  void relativeCommandStartsAtTheWorkingDirectory() throws Exception {
    script("here", "#!/bin/sh\npwd\n", "rwxr-xr-x");
    String cwd = dir.toRealPath().toString();
    assertThat(fixture.run(in(fixture.spec("./here"), cwd)).out()).isEqualTo(cwd + "\n");
    LaunchSpec byPath = LaunchFixture.env(fixture.spec("here"), Map.of("PATH", ":/bin"));
    assertThat(fixture.run(in(byPath, cwd)).out()).isEqualTo(cwd + "\n");
  }

  @Test
  void workingDirectoryThatCannotBeUsed() throws Exception {
    LaunchException missing = failure(in(fixture.spec("true"), "/no/such/dir"));
    assertThat(missing.reason()).isEqualTo(Reason.BAD_CWD);
    assertThat(missing).hasMessage("cwd '/no/such/dir' does not exist");
    LaunchException file = failure(in(fixture.spec("true"), "/etc/passwd"));
    assertThat(file.reason()).isEqualTo(Reason.BAD_CWD);
    assertThat(file).hasMessage("cwd '/etc/passwd' is not a directory");
    assertThat(failure(in(fixture.spec("true"), "relative")).reason()).isEqualTo(Reason.INVALID);
  }

  @Test
  void nulAnywhereIsRefusedByName() {
    assertThat(failure(fixture.spec("a\0b"))).hasMessage("the command contains a NUL character");
    assertThat(failure(fixture.spec("true", "x\0")).reason()).isEqualTo(Reason.INVALID);
    assertThat(failure(in(fixture.spec("true"), "/\0"))).hasMessage("cwd contains a NUL character");
    assertThat(failure(LaunchFixture.env(fixture.spec("true"), Map.of("NAME", "v\0"))))
        .hasMessage("environment variable 'NAME' contains a NUL character");
    assertThat(failure(LaunchFixture.env(fixture.spec("true"), Map.of("N\0", "v"))).reason())
        .isEqualTo(Reason.INVALID);
  }

  @Test
  void argumentsBeyondTheKernelsLimit() {
    LaunchException failure = failure(fixture.spec("true", "x".repeat(5_000_000)));
    assertThat(failure.reason()).isEqualTo(Reason.INVALID);
    assertThat(failure).hasMessageContaining("E2BIG");
  }

  @Test
  void anotherUserWithoutTheRightToBecomeIt() {
    Users bound = new Users(Path.of("/etc/passwd"), Path.of("/etc/group"), false);
    User self = bound.self();
    User other = new User("somebody", self.uid() + 4711, 4711, List.of(4711), "/", "/bin/sh");
    fixture.close();
    fixture = new LaunchFixture(dir, bound);
    LaunchException failure = failure(LaunchFixture.as(fixture.spec("true"), other));
    assertThat(failure.reason()).isEqualTo(Reason.USER_SWITCH_DENIED);
    assertThat(failure)
        .hasMessageContaining("'somebody' (uid " + (self.uid() + 4711) + ")")
        .hasMessageContaining("the agent runs as '" + self.name() + "'");
  }

  @Test
  void descriptorsThatRunOutNameTheLimit() {
    Deque<Child> running = new ArrayDeque<>();
    Tasks.Limit own = requireNonNull(Tasks.limit(0, Tasks.RLIMIT_NOFILE));
    try {
      int free = Posix.fcntl(0, Fcntl.F_DUPFD_CLOEXEC, 0);
      Posix.close(free);
      Tasks.setLimit(0, Tasks.RLIMIT_NOFILE, new Tasks.Limit(free + 1L, own.hard()));
      LaunchException failure = null;
      for (int i = 0; i < 40 && failure == null; i++) { // the prepared FIFOs serve a few
        try {
          running.add(fixture.start(with(fixture.spec("sleep", "1000"), new Stdio.Pipes(true))));
        } catch (LaunchException expected) {
          failure = expected;
        }
      }
      assertThat(requireNonNull(failure).reason()).isEqualTo(Reason.RESOURCES);
      assertThat(failure)
          .hasMessageContaining("RLIMIT_NOFILE")
          .hasMessageContaining(Long.toString(free + 1L));
    } finally {
      Tasks.setLimit(0, Tasks.RLIMIT_NOFILE, own);
      running.forEach(LaunchFixture::kill);
    }
  }
}
