package dev.sandpiper.agent.launch;

import static dev.sandpiper.agent.launch.LaunchFixture.as;
import static dev.sandpiper.agent.launch.LaunchFixture.in;
import static dev.sandpiper.agent.launch.LaunchFixture.with;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.launch.LaunchException.Reason;
import dev.sandpiper.agent.launch.LaunchFixture.Finished;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// As root only: makes four accounts, runs commands as them, and removes them again.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class UserSwitchTest {
  private static final List<String> NAMES =
      List.of("sandpiper-t1", "sandpiper-t2", "sandpiper-t3", "sandpiper-t4");

  @TempDir static Path state;
  private static LaunchFixture fixture;
  private static User user;

  @BeforeAll
  static void makeAccounts() throws Exception {
    assumeThat(Tasks.geteuid()).as("switching users needs root").isZero();
    fixture = new LaunchFixture(state);
    for (String name : NAMES) {
      fixture.run(fixture.spec("userdel", "-f", "-r", name)); // left by a run that was killed
      Finished added = fixture.run(fixture.spec("useradd", "-m", "-G", "games", name));
      assertThat(added.exit()).as(added.err()).isEqualTo(new Exit.Exited(0));
    }
    user = fixture.users.find(NAMES.get(0)).orElseThrow(); // made after the users were first read
  }

  @AfterAll
  static void removeAccounts() throws Exception {
    if (fixture != null) {
      for (String name : NAMES) {
        fixture.run(fixture.spec("userdel", "-f", "-r", name));
      }
      assertThat(fixture.users.find(NAMES.get(0))).isEmpty();
      fixture.close();
    }
  }

  private static Finished runAs(LaunchSpec spec) throws LaunchException {
    return fixture.run(as(spec, user));
  }

  @Test
  void commandHasTheUsersIdsAndGroupsAndNoWayBack() throws Exception {
    String expected = fixture.run(fixture.spec("id", NAMES.get(0))).out();
    assertThat(expected).contains("games");
    assertThat(runAs(fixture.spec("id")).out()).isEqualTo(expected);
    String status = runAs(fixture.spec("cat", "/proc/self/status")).out();
    String id = "" + user.uid();
    assertThat(status).contains("Uid:\t" + String.join("\t", id, id, id, id) + "\n");
    assertThat(status).contains("CapPrm:\t0000000000000000\n");
    assertThat(status).contains("CapEff:\t0000000000000000\n");
    assertThat(runAs(fixture.spec("cat", "/etc/shadow")).err()).contains("Permission denied");
    assertThat(user.home()).isEqualTo("/home/" + NAMES.get(0));
  }

  @Test
  void agentItselfStaysWhoItWas() throws Exception {
    runAs(fixture.spec("true"));
    assertEveryThreadIsRoot();
  }

  private static void assertEveryThreadIsRoot() throws Exception {
    for (Path task : tasks()) {
      String status;
      try {
        status = Files.readString(task.resolve("status"));
      } catch (NoSuchFileException ended) {
        continue; // a thread of the test's pools
      }
      assertThat(status).contains("Uid:\t0\t0\t0\t0\n");
    }
  }

  private static List<Path> tasks() throws Exception {
    try (var all = Files.list(Path.of("/proc/self/task"))) {
      return all.toList();
    }
  }

  @Test
  void openingStdoutAgainWorksAsAnotherUser() throws Exception {
    Finished done =
        runAs(fixture.shell("echo a > /dev/stdout; echo b > /dev/stderr; echo c >> /dev/stdout"));
    assertThat(done.out()).isEqualTo("a\nc\n");
    assertThat(done.err()).isEqualTo("b\n");
    Child child =
        fixture.start(as(with(fixture.shell("cat /dev/stdin"), new Stdio.Pipes(true)), user));
    child.writeInput(LaunchFixture.direct("in\n"));
    child.closeInput();
    assertThat(LaunchFixture.finish(child).out()).isEqualTo("in\n");
  }

  @Test
  void theUsersFifosAreNotReachableByPathForTheUser() throws Exception {
    Child child = fixture.start(as(fixture.spec("sleep", "1000"), user));
    String path = requireNonNull(child.facts().get(Child.FIFO_STDOUT));
    assertThat(runAs(fixture.spec("cat", path)).err()).contains("Permission denied");
    LaunchFixture.kill(child);
  }

  @Test
  void workingDirectoryAndCommandAreSeenWithTheUsersRights() throws Exception {
    LaunchException cwd = failure(in(fixture.spec("true"), "/root"));
    assertThat(cwd.reason()).isEqualTo(Reason.BAD_CWD);
    assertThat(cwd)
        .hasMessage(
            "cwd '/root' cannot be entered by user '" + user.name() + "': permission denied");
    Path secret = Files.writeString(state.resolve("secret"), "#!/bin/sh\necho ran\n");
    Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rwx------"));
    assertThat(fixture.run(fixture.spec(secret.toString())).out()).isEqualTo("ran\n");
    LaunchException program = failure(fixture.spec(secret.toString()));
    assertThat(program.reason()).isEqualTo(Reason.COMMAND_NOT_EXECUTABLE);
    assertThat(program).hasMessageContaining("permission denied");
    LaunchSpec hidden =
        LaunchFixture.env(fixture.spec("secret"), java.util.Map.of("PATH", state + ":/bin"));
    assertThat(failure(hidden).reason()).isEqualTo(Reason.COMMAND_NOT_FOUND);
    assertThat(runAs(in(fixture.spec("pwd"), user.home())).out()).isEqualTo(user.home() + "\n");
  }

  private static LaunchException failure(LaunchSpec spec) {
    return requireNonNull(
        catchThrowableOfType(LaunchException.class, () -> fixture.start(as(spec, user)).close()));
  }

  @Test
  void terminalBelongsToTheUser() throws Exception {
    Finished done =
        runAs(
            with(
                fixture.shell("stat -c '%U %G %a' $(tty); echo again > /dev/stdout; stty size"),
                new Stdio.Terminal(new PtySize(90, 30))));
    assertThat(done.out()).isEqualTo(user.name() + " tty 620\r\nagain\r\n30 90\r\n");
  }

  @Test
  void onlyTheOwnIdentityIsLaunchedHere() {
    assertThat(fixture.launcher.canLaunchHere(fixture.spec("true"))).isTrue();
    assertThat(fixture.launcher.canLaunchHere(as(fixture.spec("true"), user))).isFalse();
    org.assertj.core.api.Assertions.assertThatThrownBy(
            () -> fixture.launcher.launchHere(as(fixture.spec("true"), user)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(user.name());
  }

  @Test
  void fourUsersFromSeveralThreadsUnderGarbageCollectionAreAllRight() throws Exception {
    List<User> all = new ArrayList<>();
    for (String name : NAMES) {
      all.add(fixture.users.find(name).orElseThrow());
    }
    AtomicBoolean over = new AtomicBoolean();
    Thread collector =
        Thread.ofPlatform()
            .start(() -> {
              while (!over.get()) {
                System.gc();
                LockSupport.parkNanos(2_000_000); // leave something for the commands
              }
            });
    int rounds = Boolean.getBoolean("sandpiper.proof") ? 200 : 20;
    List<Callable<Void>> work = new ArrayList<>();
    for (User each : all) {
      work.add(() -> {
        for (int i = 0; i < rounds; i++) {
          Finished own = fixture.run(fixture.spec("id", "-u"));
          assertThat(own.out()).isEqualTo("0\n");
          Finished done = fixture.run(as(fixture.spec("id", "-u"), each));
          assertThat(done.out()).isEqualTo(each.uid() + "\n");
        }
        return null;
      });
    }
    try (var threads = Executors.newFixedThreadPool(4)) {
      for (Future<Void> one : threads.invokeAll(work)) {
        one.get();
      }
    } finally {
      over.set(true);
      collector.join();
    }
    assertEveryThreadIsRoot();
    assertThat(Posix.access("/etc/shadow", 4)).isZero();
  }
}
