package dev.sandpiper.agent.launch;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.launch.LaunchFixture.Finished;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
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

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class OpenFileLimitTest {
  private static final int SOFT = 1000;

  @TempDir Path state;
  private Tasks.Limit original;
  private LaunchFixture fixture;

  @BeforeEach
  void startedWithALowSoftLimit() {
    original = requireNonNull(Tasks.limit(0, Tasks.RLIMIT_NOFILE));
    Tasks.setLimit(0, Tasks.RLIMIT_NOFILE, new Tasks.Limit(SOFT, original.hard()));
    fixture = new LaunchFixture(state);
  }

  @AfterEach
  void restore() {
    fixture.close();
    Tasks.setLimit(0, Tasks.RLIMIT_NOFILE, original);
  }

  private static Tasks.Limit own() {
    return requireNonNull(Tasks.limit(0, Tasks.RLIMIT_NOFILE));
  }

  @Test
  void agentHasAllItMayAndTheChildWhatTheAgentWasStartedWith() throws Exception {
    assertThat(own()).isEqualTo(new Tasks.Limit(original.hard(), original.hard()));
    Finished done = fixture.run(fixture.shell("ulimit -Sn; ulimit -Hn"));
    assertThat(done.out()).isEqualTo(SOFT + "\n" + original.hard() + "\n");
    assertThat(done.child().facts()).doesNotContainKey(Child.OPEN_FILES_LIMIT);
    assertThat(own().soft()).isEqualTo(original.hard());
  }

  @Test
  void everyChildHasItWhenManyStartAtOnce() throws Exception {
    List<Callable<Void>> work = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      boolean here = i % 2 == 0;
      work.add(() -> {
        for (int round = 0; round < 50; round++) {
          LaunchSpec spec = fixture.shell("ulimit -Sn");
          Child child = here ? fixture.start(spec) : fixture.startOnSpawner(spec);
          assertThat(LaunchFixture.finish(child).out()).isEqualTo(SOFT + "\n");
        }
        return null;
      });
    }
    try (var threads = Executors.newFixedThreadPool(4)) {
      for (Future<Void> one : threads.invokeAll(work)) {
        one.get();
      }
    }
    assertThat(own().soft()).isEqualTo(original.hard());
  }

  @Test
  void agentWithManyDescriptorsLetsAShellSetIt() throws Exception {
    List<Integer> many = new ArrayList<>();
    try {
      for (int i = 0; i < SOFT; i++) {
        many.add(Posix.open("/dev/null", 0, 0));
      }
      Finished done = fixture.run(fixture.spec("sh", "-c", "ulimit -Sn; echo \"$1\"", "x", "a b"));
      assertThat(done.out()).isEqualTo(SOFT + "\na b\n");
      assertThat(done.child().facts()).containsEntry(Child.OPEN_FILES_LIMIT, "shell");
      assertThat(fixture.run(fixture.shell("exit 42")).exit()).isEqualTo(new Exit.Exited(42));
    } finally {
      many.forEach(Posix::close);
    }
  }
}
