package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The files of the image are replaced under a running agent, in the two ways that `docs/upgrade.md` allows.
final class ReplacedImageIT {
  @TempDir Path directory;
  private Path old;
  private Path next;

  @BeforeEach
  void twoImages() {
    Path image = AgentProcess.image();
    old = directory.resolve("sandpiper-1");
    next = directory.resolve("sandpiper-2");
    for (Path copy : new Path[] {old, next}) {
      Shell.run("cp", "-a", image.toString(), copy.toString()).requireSuccess();
    }
  }

  private AgentProcess startedBy(Path launcher) {
    return AgentProcess.builder()
        .stateDirectory(directory.resolve("state"))
        .via("sh", "-c", "shift; exec \"$0\" \"$@\"", launcher.toString())
        .start();
  }

  private void upgradeKeepsACommand(AgentProcess agent, Path launcher, Runnable replace) {
    int pid;
    try (Follower follower =
        agent
            .processes()
            .start(Command.sh("until [ -e stop ]; do sleep 0.05; done; exit 7").cwd(directory))) {
      pid = follower.pid();
    }

    replace.run();
    // What it has not loaded yet it still finds.
    try (Follower follower = agent.grpc().run(Command.sh("echo before"))) {
      assertThat(follower.stdout()).isEqualTo("before\n");
    }
    Shell.run(launcher.toString(), "upgrade", "--state-dir", directory.resolve("state").toString())
        .requireSuccess();

    try (Follower follower = agent.processes().connect(pid)) {
      Shell.run("touch", directory.resolve("stop").toString()).requireSuccess();
      assertThat(follower.end().exitCode()).isEqualTo(7);
    }
  }

  @Test
  void aLinkThatIsSwitchedLeadsToTheNewImage() throws Exception {
    Path link = Files.createSymbolicLink(directory.resolve("sandpiper"), Path.of("sandpiper-1"));
    Path launcher = link.resolve("bin/sandpiper");
    try (AgentProcess agent = startedBy(launcher)) {
      assertThat(ProcFs.read(agent.pid(), "maps")).contains(old + "/lib/sandpiper.aot");

      upgradeKeepsACommand(
          agent,
          launcher,
          () -> {
            Path other = directory.resolve("other");
            Shell.run("ln", "-s", "sandpiper-2", other.toString()).requireSuccess();
            Shell.run("mv", "-T", other.toString(), link.toString()).requireSuccess();
          });

      assertThat(ProcFs.read(agent.pid(), "maps"))
          .contains(next + "/lib/sandpiper.aot")
          .doesNotContain(old + "/");
    }
  }

  @Test
  void aDirectoryThatIsRenamedIsTheNewImage() throws IOException {
    Path launcher = old.resolve("bin/sandpiper");
    try (AgentProcess agent = startedBy(launcher)) {
      upgradeKeepsACommand(
          agent,
          launcher,
          () -> {
            Shell.run("mv", old.toString(), directory.resolve("away").toString()).requireSuccess();
            Shell.run("mv", next.toString(), old.toString()).requireSuccess();
          });

      assertThat(ProcFs.read(agent.pid(), "maps"))
          .contains(old + "/lib/sandpiper.aot")
          .doesNotContain(directory.resolve("away") + "/");
    }
  }
}
