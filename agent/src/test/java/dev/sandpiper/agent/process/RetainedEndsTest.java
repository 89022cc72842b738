package dev.sandpiper.agent.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.launch.Exit;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RetainedEndsTest {
  private long now;
  private final RetainedEnds ends = new RetainedEnds(3, 30, () -> now);

  @Test
  void anEndIsFoundByPidAndTagUntilItExpires() {
    ends.add(end(7, "build"));

    now = 29;
    assertThat(ends.find(new Selector.ByPid(7))).isPresent();
    assertThat(ends.find(new Selector.ByTag("build"))).isPresent();
    now = 30;
    assertThat(ends.find(new Selector.ByPid(7))).isEmpty();
    assertThat(ends.find(new Selector.ByTag("build"))).isEmpty();
  }

  @Test
  void aNewProcessWithTheSamePidOrTagTakesItsPlace() {
    ends.add(end(7, "build"));
    ends.add(end(8, "test"));

    ends.taken(7, Optional.of("test"));

    assertThat(ends.find(new Selector.ByPid(7))).isEmpty();
    assertThat(ends.find(new Selector.ByTag("test"))).isEmpty();
    assertThat(ends.find(new Selector.ByPid(8))).isPresent();
  }

  @Test
  void theOldestGoesWhenThereAreTooMany() {
    for (int pid = 1; pid <= 4; pid++) {
      ends.add(end(pid, "t" + pid));
    }

    assertThat(ends.find(new Selector.ByPid(1))).isEmpty();
    assertThat(ends.find(new Selector.ByTag("t1"))).isEmpty();
    assertThat(ends.find(new Selector.ByPid(2))).isPresent();
  }

  @Test
  void anExpiringEntryDoesNotTakeItsSuccessorAway() {
    ends.add(end(7, "build"));
    now = 20;
    ends.taken(7, Optional.of("build"));
    ends.add(end(7, "build"));

    now = 35;
    assertThat(ends.find(new Selector.ByPid(7))).isPresent();
    assertThat(ends.find(new Selector.ByTag("build"))).isPresent();
  }

  @Test
  void anEndUnderAnEarlierAgentIsFoundForTheRestOfItsTime() {
    ends.add(end(7, "build"), 20);
    ends.add(end(8, "old"), 30);
    ends.add(end(9, "future"), -1);

    assertThat(ends.find(new Selector.ByPid(8))).isEmpty();
    assertThat(ends.find(new Selector.ByPid(9))).isEmpty();
    now = 9;
    assertThat(ends.find(new Selector.ByPid(7))).isPresent();
    now = 10;
    assertThat(ends.find(new Selector.ByPid(7))).isEmpty();
  }

  private static RetainedEnd end(int pid, String tag) {
    return new RetainedEnd(
        "p" + pid,
        pid,
        Optional.of(tag),
        new ProcessEnd(new Exit.Exited(0), EndCause.EXIT, Instant.EPOCH, 0, 0, 0, null));
  }
}
