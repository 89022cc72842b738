package dev.sandpiper.agent.launch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class StartTimesTest {
  private long now = 4711;
  private final AtomicInteger questions = new AtomicInteger();

  @Test
  void theTickOfTheSpawnIsTheStartTimeAndTheKernelIsAskedOnce() {
    var times = times(4711);
    assertThat(started(times)).isEqualTo(new ProcessIdentity(1, 4711, ProcStat.bootId()));
    now = 5000;
    assertThat(started(times)).isEqualTo(new ProcessIdentity(1, 5000, ProcStat.bootId()));
    assertThat(questions).hasValue(1);
  }

  @Test
  void spawnThatSawTwoTicksIsAskedFor() {
    var times = times(4711);
    started(times);
    long before = times.now();
    now++;
    assertThat(times.identity(1, before)).isNull();
  }

  @Test
  void aClockThatIsNotTheKernelsIsNeverUsed() {
    var times = times(13);
    assertThat(started(times)).isNull();
    assertThat(started(times)).isNull();
    assertThat(questions).hasValue(1);
  }

  @Test
  void aClockThatIsUnknownIsNotUsed() {
    now = 0;
    assertThat(started(times(0))).isNull();
  }

  /// Real children: what is worked out is what the kernel says.
  @Test
  void agreesWithTheKernel() throws IOException, InterruptedException {
    var times = new StartTimes();
    int known = 0;
    for (int i = 0; i < 50; i++) {
      long before = times.now();
      Process child = new ProcessBuilder("/bin/sleep", "60").start();
      try {
        ProcessIdentity identity = times.identity((int) child.pid(), before);
        if (identity != null) {
          known++;
          assertThat(identity).isEqualTo(ProcStat.identity((int) child.pid()));
        }
      } finally {
        child.destroyForcibly().waitFor();
      }
    }
    assertThat(known).isPositive();
  }

  private StartTimes times(long kernel) {
    return new StartTimes(
        () -> now,
        _ -> {
          questions.incrementAndGet();
          return kernel;
        });
  }

  private static @Nullable ProcessIdentity started(StartTimes times) {
    return times.identity(1, times.now());
  }
}
