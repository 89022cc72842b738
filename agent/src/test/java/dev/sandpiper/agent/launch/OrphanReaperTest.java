package dev.sandpiper.agent.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.posix.Tasks;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A subreaper gets orphans as process 1 does, without a container.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class OrphanReaperTest {
  @TempDir Path state;
  private LaunchFixture fixture;

  @BeforeEach
  void becomeASubreaper() {
    Tasks.prctl(Tasks.PR_SET_CHILD_SUBREAPER, 1);
    fixture = new LaunchFixture(state);
  }

  @AfterEach
  void end() {
    fixture.close();
    Tasks.prctl(Tasks.PR_SET_CHILD_SUBREAPER, 0);
  }

  @Test
  void orphanIsCollectedWhileAnotherChildRuns() throws Exception {
    Child running = fixture.start(fixture.spec("sleep", "1000"));
    LaunchFixture.Finished parent =
        fixture.run(fixture.shell("(echo started; exec sleep 0.2) & echo $!"));
    String orphan =
        parent.out().lines().filter(line -> line.matches("\\d+")).findFirst().orElseThrow();
    await().until(() -> !Files.exists(Path.of("/proc/" + orphan)));
    assertThat(fixture.launcher.orphansReaped()).isPositive();
    assertThat(running.peekExit()).isNull();
    LaunchFixture.kill(running);
  }

  /// An exited child of ours is what the kernel shows first.
  @Test
  void orphansAreCollectedWhileAnExitedChildOfOursWaitsForItsOwner() throws Exception {
    Child waits = fixture.start(fixture.spec("true"));
    await().until(() -> waits.peekExit() != null);
    List<String> orphans =
        fixture
            .run(fixture.shell("(sleep 0.2 & echo $!); (sleep 0.3 & echo $!)"))
            .out()
            .lines()
            .toList();
    assertThat(orphans).hasSize(2);
    await().until(() -> orphans.stream().noneMatch(pid -> Files.exists(Path.of("/proc/" + pid))));
    assertThat(waits.peekExit()).isEqualTo(new Exit.Exited(0));
    waits.close();
  }

  @Test
  void aLauncherMakesItsProcessTheOneThatGetsOrphans() throws Exception {
    fixture.close();
    Tasks.prctl(Tasks.PR_SET_CHILD_SUBREAPER, 0);
    fixture = new LaunchFixture(state);
    assertThat(Tasks.isSubreaper()).isTrue();
    Child child = fixture.start(fixture.spec("sleep", "1000"));
    assertThat(fixture.launcher.orphansSince()).isLessThanOrEqualTo(child.identity().startTicks());
    assertThat(fixture.launcher.isOwn(child.pid())).isTrue();
    LaunchFixture.kill(child);
    assertThat(fixture.launcher.isOwn(child.pid())).isFalse();
  }

  @Test
  void statusesOfOurOwnChildrenAreNeverTaken() throws Exception {
    List<Callable<Void>> work = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      boolean here = i > 0;
      work.add(() -> {
        for (int round = 0; round < 100; round++) {
          // An orphan each time, so that the reaper is as busy as the starts.
          LaunchSpec spec = fixture.shell("sleep 0 & exit " + round);
          Child child = here ? fixture.start(spec) : fixture.startOnSpawner(spec);
          assertThat(LaunchFixture.finish(child).exit()).isEqualTo(new Exit.Exited(round));
        }
        return null;
      });
    }
    try (var threads = Executors.newFixedThreadPool(3)) {
      for (Future<Void> one : threads.invokeAll(work)) {
        one.get();
      }
    }
    await()
        .until(() -> {
          var left = Tasks.waitid(Tasks.P_ALL, 0, Tasks.WEXITED | Tasks.WNOHANG | Tasks.WNOWAIT);
          return left != null && left.error() != 0; // nobody at all: every orphan is collected
        });
  }
}
