package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.tests.harness.Account;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.RpcException;
import dev.sandpiper.tests.harness.Shell;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/// What a command finds around it: identity, environment, working directory, descriptors, signals; as the agent's own
/// user and, when that is root, as another one.
final class UsersIT {
  @RegisterExtension
  static final Agent AGENT =
      Agent.with(builder -> builder.environment("AGENTS_OWN", "must not leak"));

  private static @Nullable Account account;

  private final Processes processes = AGENT.get().json();

  @TempDir Path directory;

  @BeforeAll
  static void makeAccount() {
    account = Account.isRoot() ? new Account() : null;
  }

  @AfterAll
  static void removeAccount() {
    if (account != null) {
      account.close();
    }
  }

  private static Account other() {
    assumeTrue(account != null, "needs root, to make a second account");
    return java.util.Objects.requireNonNull(account);
  }

  private static String ownUser() {
    return Shell.run("id", "-un").requireSuccess().stdout().strip();
  }

  private static String ownHome() {
    return Shell.run("getent", "passwd", ownUser()).requireSuccess().stdout().split(":", -1)[5];
  }

  private Map<String, String> environment(Command command) {
    return processes
        .run(command)
        .stdout()
        .lines()
        .filter(line -> line.contains("="))
        .collect(
            Collectors.toMap(
                line -> line.substring(0, line.indexOf('=')),
                line -> line.substring(line.indexOf('=') + 1),
                (a, b) -> b,
                TreeMap::new));
  }

  @Test
  void theEnvironmentIsThePathTheUserAndWhatTheRequestAdds() {
    Map<String, String> environment = environment(Command.of("env").env("COLOUR", "blue = sky"));

    assertThat(environment)
        .containsEntry("HOME", ownHome())
        .containsEntry("USER", ownUser())
        .containsEntry("LOGNAME", ownUser())
        .containsEntry("COLOUR", "blue = sky")
        .containsKey("PATH")
        .doesNotContainKeys("AGENTS_OWN", "TERM", "PWD", "JAVA_HOME", "LD_LIBRARY_PATH")
        .doesNotContainKey("OLDPWD");
    assertThat(environment.get("PATH"))
        .as("the agent's own")
        .isEqualTo(
            Arrays.stream(ProcFs.read(AGENT.get().pid(), "environ").split("\0", -1))
                .filter(it -> it.startsWith("PATH="))
                .findFirst()
                .orElseThrow()
                .substring(5));
  }

  @Test
  void theRequestMayOverrideAnyName() {
    assertThat(
            environment(
                Command.of("/usr/bin/env")
                    .env("HOME", "/elsewhere")
                    .env("USER", "somebody")
                    .env("LOGNAME", "somebody")
                    .env("PATH", "/nowhere")))
        .containsEntry("HOME", "/elsewhere")
        .containsEntry("USER", "somebody")
        .containsEntry("LOGNAME", "somebody")
        .containsEntry("PATH", "/nowhere");
  }

  @Test
  void aCommandIsLookedUpOnThePathOfTheRequest() throws Exception {
    Path tool = Files.writeString(directory.resolve("tool"), "#!/bin/sh\necho found $1\n");
    tool.toFile().setExecutable(true, false);

    Follower run = processes.run(Command.of("tool", "it").env("PATH", "/nowhere::" + directory));

    assertThat(run.stdout()).isEqualTo("found it\n");
  }

  @Test
  void aScriptWithoutAFirstLineRuns() throws Exception {
    Path script = Files.writeString(directory.resolve("script"), "echo \"plain $1 $#\"\n");
    script.toFile().setExecutable(true, false);

    assertThat(processes.run(Command.of(script.toString(), "a", "b c")).stdout())
        .isEqualTo("plain a 2\n");
    assertThat(processes.run(Command.of("./script", "x").cwd(directory)).stdout())
        .isEqualTo("plain x 1\n");
  }

  @Test
  void argumentsArriveAsTheyAre() {
    Follower run =
        processes.run(
            Command.of("printf", "%s|", "", "a b", "$HOME", "'\"\\", "ünïcödé 🐦", "-n", "*"));
    assertThat(run.stdout()).isEqualTo("|a b|$HOME|'\"\\|ünïcödé 🐦|-n|*|");
  }

  @Test
  void theWorkingDirectoryIsTheUsersHomeUnlessAsked() throws Exception {
    Path home = Path.of(ownHome()).toRealPath();
    assertThat(pwd(Command.of("/bin/pwd"))).isEqualTo(home);
    assertThat(pwd(Command.of("/bin/pwd").cwd(""))).isEqualTo(home);
    assertThat(pwd(Command.of("/bin/pwd").cwd("~"))).isEqualTo(home);
    assertThat(pwd(Command.of("/bin/pwd").cwd("."))).isEqualTo(home);
    assertThat(pwd(Command.of("/bin/pwd").cwd("/usr/../usr/bin")))
        .isEqualTo(Path.of("/usr/bin").toRealPath());
    assertThat(pwd(Command.of("/bin/pwd").cwd(directory))).isEqualTo(directory.toRealPath());
  }

  private Path pwd(Command command) throws Exception {
    return Path.of(processes.run(command).stdout().strip()).toRealPath();
  }

  @Test
  void relativePathsAndTildeAreBelowTheHomeOfTheUserAskedFor() throws Exception {
    Account other = other();
    Files.createDirectories(other.home().resolve("sub/dir"));

    for (String cwd : List.of("sub/dir", "~/sub/dir", "sub/./x/../dir")) {
      assertThat(pwd(Command.of("/bin/pwd").as(other.name()).cwd(cwd)))
          .as(cwd)
          .isEqualTo(other.home().resolve("sub/dir"));
    }
    assertThat(pwd(Command.of("/bin/pwd").as(other.name()))).isEqualTo(other.home());
  }

  @Test
  void anotherUserHasItsIdentityGroupsAndEnvironment() {
    Account other = other();
    Follower run =
        processes.run(
            Command.sh(
                    "id -un; id -gn; id -Gn; env; grep -E '^(Uid|Gid|CapEff|CapPrm)' /proc/self/status")
                .as(other.name()));

    List<String> lines = run.stdout().lines().toList();
    assertThat(lines.get(0)).isEqualTo(other.name());
    assertThat(lines.get(1)).isEqualTo(other.name());
    assertThat(lines.get(2).split(" ")).containsOnly(other.name(), other.secondGroup());
    assertThat(lines)
        .contains("HOME=" + other.home(), "USER=" + other.name(), "LOGNAME=" + other.name())
        .contains(
            "Uid:\t%1$d\t%1$d\t%1$d\t%1$d".formatted(other.uid()),
            "CapPrm:\t0000000000000000",
            "CapEff:\t0000000000000000");
  }

  @Test
  void anotherUserMayNotTouchTheAgent() {
    Account other = other();
    long agent = AGENT.get().pid();
    Follower run =
        processes.run(
            Command.sh(
                    "kill -0 "
                        + agent
                        + " && echo signal; cat /proc/"
                        + agent
                        + "/environ >/dev/null && echo environment; ls "
                        + AGENT.get().stateDirectory()
                        + " && echo state; :")
                .as(other.name()));
    assertThat(run.stdout()).isEmpty();
  }

  @Test
  void theStandardStreamsOpenAgainByPathForEveryUser() {
    for (String user : users()) {
      Follower run =
          processes.run(
              Command.sh("echo out > /dev/stdout; echo err > /dev/stderr; echo more >> /dev/stdout")
                  .as(user));
      assertThat(run.stdout()).as(user).isEqualTo("out\nmore\n");
      assertThat(run.stderr()).as(user).isEqualTo("err\n");
    }
  }

  @Test
  void aTerminalBelongsToItsUser() {
    for (String user : users()) {
      Follower run =
          processes.run(
              Command.sh("stat -c %U $(tty); echo hi > /dev/tty; id -un").as(user).pty(80, 24));
      assertThat(run.pty()).isEqualTo("%1$s\r\nhi\r\n%1$s\r\n".formatted(user));
    }
  }

  @Test
  void inputFromAnotherUsersCommandReopens() {
    for (String user : users()) {
      try (Follower run = processes.start(Command.sh("cat /dev/stdin").as(user).stdin())) {
        processes.sendStdin(run.pid(), "through the path\n");
        run.await("stdout", "through the path\n");
        processes.closeStdin(run.pid());
        assertThat(run.end().exitCode()).as(user).isZero();
      }
    }
  }

  private static List<String> users() {
    return account == null ? List.of(ownUser()) : List.of(ownUser(), account.name());
  }

  /// Many at once as different users: everybody gets the own identity, and the agent keeps its.
  @Test
  void manyUsersAtOnceAreNeverMixedUp() throws Exception {
    List<String> users = users();
    try (ExecutorService clients = Executors.newFixedThreadPool(8)) {
      List<Future<String>> wrong =
          clients.invokeAll(
              IntStream.range(0, 8)
                  .mapToObj(client ->
                      (Callable<String>)
                          () -> {
                            for (int i = 0; i < 40; i++) {
                              String user = users.get((client + i) % users.size());
                              Follower run =
                                  processes.run(Command.sh("id -un; id -run; echo $HOME").as(user));
                              List<String> seen = run.stdout().lines().toList();
                              if (!seen.get(0).equals(user) || !seen.get(1).equals(user)) {
                                return user + " got " + seen;
                              }
                            }
                            return "";
                          })
                  .toList());
      for (Future<String> one : wrong) {
        assertThat(one.get()).isEmpty();
      }
    }
    try (var tasks = Files.list(Path.of("/proc", Long.toString(AGENT.get().pid()), "task"))) {
      for (Path task : tasks.toList()) {
        assertThat(Files.readString(task.resolve("status")))
            .contains(
                "Uid:\t%1$s\t%1$s\t%1$s\t%1$s"
                    .formatted(Files.getAttribute(Path.of("/proc/self"), "unix:uid")));
      }
    }
  }

  @Test
  void withoutRootAnotherUserIsAClearError() {
    Account other = other();
    try (AgentProcess agent = AgentProcess.builder().as(other).start()) {
      assertThat(agent.json().run(Command.of("id", "-un")).stdout().strip())
          .isEqualTo(other.name());
      assertThat(agent.json().run(Command.of("id", "-un").as(other.name())).stdout().strip())
          .isEqualTo(other.name());
      assertThat(agent.json().run(Command.sh("echo x > /dev/stdout; pwd")).stdout())
          .isEqualTo("x\n" + other.home() + "\n");
      try (Follower refused = agent.json().start(Command.of("true").as("root"))) {
        RpcException error = refused.error();
        assertThat(refused.started()).isFalse();
        assertThat(error.code()).isEqualTo("permission_denied");
        assertThat(error.detail()).contains("root");
      }
    }
  }

  @Test
  void aCommandLeadsASessionAndAGroupOfItsOwn() {
    try (Follower plain = processes.start(Command.of("sleep", "600"));
        Follower terminal = processes.start(Command.of("sleep", "600").pty(80, 24))) {
      for (Follower run : List.of(plain, terminal)) {
        assertThat(ProcFs.session(run.pid())).isEqualTo(run.pid());
        assertThat(ProcFs.group(run.pid())).isEqualTo(run.pid());
        processes.kill(run.pid());
        run.end();
      }
    }
  }

  @Test
  void noDescriptorOfTheAgentLeaksIntoACommand() {
    // The fourth is the directory that ls itself has open.
    assertThat(processes.run(Command.of("ls", "/proc/self/fd")).stdout()).isEqualTo("0\n1\n2\n3\n");
    assertThat(processes.run(Command.of("ls", "/proc/self/fd").stdin()).stdout())
        .isEqualTo("0\n1\n2\n3\n");
    assertThat(processes.run(Command.of("ls", "/proc/self/fd").pty(80, 24)).pty().split("\\s+"))
        .containsExactly("0", "1", "2", "3");
  }

  @Test
  void signalsAreAtTheirDefaultsAndNoneIsBlocked() {
    for (Command command :
        List.of(
            Command.of("cat", "/proc/self/status"),
            Command.of("cat", "/proc/self/status").pty(80, 24))) {
      Follower run = processes.run(command);
      assertThat(run.stdout() + run.pty())
          .contains("SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000")
          .contains("SigCgt:\t0000000000000000");
    }
  }

  @Test
  void theLimitOnOpenFilesIsTheOneTheAgentWasStartedWith() {
    try (AgentProcess agent =
        AgentProcess.builder()
            .via("/bin/sh", "-c", "ulimit -Sn 777 && exec \"$@\"", "sh")
            .start()) {
      for (int i = 0; i < 20; i++) {
        assertThat(agent.json().run(Command.sh("ulimit -Sn")).stdout().strip()).isEqualTo("777");
      }
    }
  }
}
