package dev.sandpiper.agent.posix;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class TasksTest {
  @TempDir Path dir;

  private static int shell(String script) {
    Spawn spawn = new Spawn();
    spawn.arguments(List.of("sh", "-c", script), Map.of("PATH", "/usr/bin:/bin"));
    spawn.begin();
    return spawn.start("/bin/sh");
  }

  private static WaitStatus await(int pid) {
    WaitStatus status = requireNonNull(Tasks.waitid(Tasks.P_PID, pid, Tasks.WEXITED));
    assertThat(status.error()).isZero();
    return status;
  }

  @Test
  void knowsItself() {
    assertThat(Tasks.getpid()).isEqualTo((int) ProcessHandle.current().pid());
    assertThat(Tasks.geteuid()).isEqualTo(Tasks.getuid());
    assertThat(Tasks.getegid()).isEqualTo(Tasks.getgid());
    assertThat(Tasks.priority(0)).isBetween(1, 40);
    assertThat(Tasks.ioPriority(0)).isNotNegative();
  }

  @Test
  void tellsExitsFromSignalsAndKeepsAPeekedStatus() {
    int exits = shell("exit 137");
    WaitStatus peeked =
        requireNonNull(Tasks.waitid(Tasks.P_PID, exits, Tasks.WEXITED | Tasks.WNOWAIT));
    assertThat(peeked.pid()).isEqualTo(exits);
    WaitStatus exited = await(exits);
    assertThat(exited.code()).isEqualTo(WaitStatus.EXITED);
    assertThat(exited.status()).isEqualTo(137);
    assertThat(exited.peakKib()).isPositive();
    WaitStatus killed = await(shell("kill -9 $$"));
    assertThat(killed.code()).isEqualTo(WaitStatus.KILLED);
    assertThat(killed.status()).isEqualTo(Signals.SIGKILL);
    WaitStatus nobody = requireNonNull(Tasks.waitid(Tasks.P_PID, exits, Tasks.WEXITED));
    assertThat(nobody.error()).isEqualTo(-Errno.ECHILD);
  }

  @Test
  void waitsAndSignalsThroughAPidfd() {
    int pid = shell("exec sleep 1000");
    int pidfd = Tasks.pidfdOpen(pid);
    assumeThat(pidfd).as("pidfd_open").isNotNegative();
    assertThat(Tasks.waitid(Tasks.P_PIDFD, pidfd, Tasks.WEXITED | Tasks.WNOHANG)).isNull();
    assertThat(Tasks.pidfdSendSignal(pidfd, 0, 0)).isZero();
    assertThat(Tasks.pidfdSendSignal(pidfd, Signals.SIGTERM, 0)).isZero();
    WaitStatus ended = requireNonNull(Tasks.waitid(Tasks.P_PIDFD, pidfd, Tasks.WEXITED));
    assertThat(ended.status()).isEqualTo(Signals.SIGTERM);
    assertThat(Tasks.pidfdSendSignal(pidfd, 0, 0)).isEqualTo(-Errno.ESRCH);
    Posix.close(pidfd);
  }

  @Test
  void limitsAreReadAndSetOnAChild() {
    Tasks.Limit own = requireNonNull(Tasks.limit(0, Tasks.RLIMIT_NOFILE));
    assertThat(Long.compareUnsigned(own.soft(), own.hard())).isNotPositive();
    int pid = shell("exec sleep 1000");
    assertThat(Tasks.setLimit(pid, Tasks.RLIMIT_NOFILE, new Tasks.Limit(77, own.hard()))).isZero();
    assertThat(Tasks.limit(pid, Tasks.RLIMIT_NOFILE)).isEqualTo(new Tasks.Limit(77, own.hard()));
    assertThat(Tasks.setNice(pid, 5)).isZero();
    assertThat(Tasks.priority(pid)).isEqualTo(15);
    Tasks.kill(pid, Signals.SIGKILL);
    await(pid);
  }

  @Test
  void identityChangesStayOnTheirThread() throws Exception {
    assumeThat(Tasks.geteuid()).as("needs root").isZero();
    int[] seen = new int[4];
    int[][] groups = new int[1][];
    Thread switched =
        Thread.ofPlatform()
            .start(() -> {
              Tasks.setgroups(new Tasks.Groups(4711, 4712));
              Tasks.setresgid(1234, 1234, 1234);
              Tasks.setresuid(1234, 1234, 0);
              seen[0] = Tasks.getuid();
              seen[1] = Tasks.getegid();
              groups[0] = Tasks.getgroups();
              seen[2] = Posix.open("/etc/shadow", Fcntl.O_RDONLY, 0);
              seen[3] = Tasks.setresuid(0, 0, 0);
            });
    switched.join();
    assertThat(seen).isEqualTo(new int[] {1234, 1234, -Errno.EACCES, 0});
    assertThat(Arrays.stream(groups[0]).boxed().toList()).containsExactly(4711, 4712);
    assertThat(Tasks.geteuid()).isZero();
    Tasks.prctl(Tasks.PR_SET_DUMPABLE, 1);
  }

  @Test
  void spawnMapsDescriptorsDirectoryAndEnvironment() throws Exception {
    int out =
        Posix.open(
            dir.resolve("out").toString(), Fcntl.O_WRONLY | Fcntl.O_CREAT | Fcntl.O_CLOEXEC, 0600);
    Spawn spawn = new Spawn();
    for (int round = 0; round < 2; round++) { // the object is used again
      spawn.arguments(
          List.of("sh", "-c", "echo $0-$A; pwd; ls /proc/self/fd", "ä"),
          Map.of("A", "b=c" + "x".repeat(round * 100_000), "PATH", "/usr/bin:/bin"));
      spawn.begin();
      spawn.dup2(out, 1);
      spawn.chdir(dir.toString());
      int pid = spawn.start("/bin/sh");
      assertThat(pid).isPositive();
      assertThat(await(pid).status()).isZero();
    }
    spawn.arguments(List.of(), Map.of());
    spawn.begin();
    assertThat(spawn.start("/does/not/exist")).isEqualTo(-Errno.ENOENT);
    spawn.begin();
    spawn.chdir("/does/not/exist");
    assertThat(spawn.start("/bin/sh")).isEqualTo(-Errno.ENOENT);
    Posix.close(out);
    assertThat(Spawn.unsupported()).isEmpty();
    List<String> lines = Files.readAllLines(dir.resolve("out"));
    assertThat(lines.get(0)).isEqualTo("sh-b=c".replace("sh", "ä"));
    assertThat(lines.get(1)).isEqualTo(dir.toRealPath().toString());
    assertThat(lines.subList(2, 6)).containsExactly("0", "1", "2", "3"); // 3 is ls reading
    assertThat(lines.get(6)).hasSize("ä-b=c".length() + 100_000);
  }

  @Test
  void terminalsHaveASizeAndASlave() {
    int master = Terminals.openMaster();
    assertThat(master).isPositive();
    assertThat(Terminals.setSize(master, 132, 43)).isZero();
    assertThat(Terminals.size(master)).isEqualTo(132L << 16 | 43);
    String slave = "/dev/pts/" + Terminals.slaveNumber(master);
    FileStatus status = requireNonNull(Posix.status(slave));
    assertThat(status.uid()).isEqualTo(Tasks.geteuid());
    Posix.close(master);
    assertThat(Posix.status(slave)).isNull();
  }
}
