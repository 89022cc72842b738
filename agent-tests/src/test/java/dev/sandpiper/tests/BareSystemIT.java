package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.tests.harness.Account;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Shell;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Systems that have little, and systems that have too little.
final class BareSystemIT {
  @TempDir Path directory;

  // Nothing can be written but what the state directory is mounted on.
  private static final String READ_ONLY =
      """
      mount --make-rprivate /
      mount -t tmpfs -o mode=0755 none "$STATE"
      chown 12345:12345 "$STATE"
      for mounted in / /tmp /var /dev/shm /run; do
        mount -o remount,bind,ro "$mounted" 2>/dev/null || true
      done
      exec setpriv --reuid 12345 --regid 12345 --clear-groups env -i "$@"
      """;

  @Test
  void servesAsAnUnknownUserWithoutEnvironmentOnAReadOnlyRoot() throws Exception {
    assumeTrue(Account.isRoot(), "needs root, to mount");
    assumeTrue(
        Shell.run("unshare", "-m", "true").exitCode() == 0, "needs the right to make a namespace");
    assumeTrue(
        Shell.run(
                    "setpriv",
                    "--reuid",
                    "12345",
                    "--clear-groups",
                    "test",
                    "-x",
                    AgentProcess.executable().toString())
                .exitCode()
            == 0,
        "another user may not read the image where it lies");
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
    try (AgentProcess agent =
        AgentProcess.builder()
            .stateDirectory(directory)
            .via("env", "STATE=" + directory, "unshare", "-m", "sh", "-ec", READ_ONLY, "sh")
            .start()) {
      assertThat(ProcFs.status(agent.pid(), "Uid")).startsWith("12345");
      assertThat(ProcFs.read(agent.pid(), "environ")).doesNotContain("HOME=", "PATH=", "USER=");
      try (Follower command =
          agent
              .processes()
              .run(Command.sh("id -u; touch /usr/x 2>/dev/null || echo read-only").cwd("/"))) {
        assertThat(command.stdout()).isEqualTo("12345\nread-only\n");
        assertThat(command.end().exitCode()).isZero();
      }
      assertThat(ProcFs.read(agent.pid(), "maps")).contains("/lib/sandpiper.aot");
    }
  }

  @Test
  void withoutGlibcSaysSo() {
    assumeTrue(Account.isRoot(), "needs root, to mount");
    assumeTrue(
        Files.exists(Path.of("/lib64/ld-linux-x86-64.so.2"))
            && Shell.run("unshare", "-m", "true").exitCode() == 0,
        "needs x86-64 and the right to make a namespace");

    // Once the loader is hidden no program starts any more, so the launcher runs within this very
    // shell.
    Shell.Result result =
        Shell.run(
            "unshare",
            "-m",
            "sh",
            "-c",
            "mount --make-rprivate /; mount -t tmpfs none /lib64; set -- --version; . \"$0\"",
            AgentProcess.executable().toString());

    assertThat(result.stderr()).contains("no glibc").contains("musl").hasLineCount(1);
    assertThat(result.exitCode()).isEqualTo(126);
  }

  /// A C library in which one name is misspelt is one that has not that function yet.
  @Test
  void aGlibcThatIsTooOldIsNamedInOneLine() throws Exception {
    byte[] library = Files.readAllBytes(libraryInUse());
    String text = new String(library, StandardCharsets.ISO_8859_1);
    String older =
        text.replace(
            "posix_spawn_file_actions_addchdir_np", "posix_spawn_file_actions_addchdir__p");
    assertThat(older).isNotEqualTo(text);
    Files.write(directory.resolve("libc.so.6"), older.getBytes(StandardCharsets.ISO_8859_1));
    var serve =
        new ProcessBuilder(
            AgentProcess.executable().toString(),
            "serve",
            "--port",
            Integer.toString(AgentProcess.freePort()),
            "--state-dir",
            directory.resolve("state").toString());
    serve.environment().put("LD_LIBRARY_PATH", directory.toString());

    Shell.Result result = Shell.run(serve, 60);

    assertThat(result.stderr()).contains("glibc is older than 2.29").hasLineCount(1);
    assertThat(result.stdout()).isEmpty();
    assertThat(result.exitCode()).isEqualTo(2);
  }

  private static Path libraryInUse() throws Exception {
    return Files.readAllLines(Path.of("/proc/self/maps")).stream()
        .filter(line -> line.endsWith("/libc.so.6"))
        .map(line -> Path.of(line.substring(line.indexOf('/'))))
        .findFirst()
        .orElseThrow();
  }
}
