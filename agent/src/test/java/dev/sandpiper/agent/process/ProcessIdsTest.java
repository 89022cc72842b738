package dev.sandpiper.agent.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.time.InstantSource;
import java.util.HashSet;
import org.junit.jupiter.api.Test;

class ProcessIdsTest {
  @Test
  void idsOfOneMillisecondAreAllDifferent() {
    var ids = new ProcessIds(InstantSource.fixed(Instant.ofEpochMilli(1)));
    var seen = new HashSet<String>();

    for (int i = 0; i < 100_000; i++) {
      assertThat(seen.add(ids.get())).isTrue();
    }
  }

  @Test
  void idsOfTwoRunsAtTheSameMomentDiffer() {
    var clock = InstantSource.fixed(Instant.ofEpochMilli(1));

    assertThat(new ProcessIds(clock).get()).isNotEqualTo(new ProcessIds(clock).get());
  }

  @Test
  void laterIdsSortBehindEarlierOnes() {
    String earlier = new ProcessIds(InstantSource.fixed(Instant.ofEpochMilli(1_000))).get();
    String later = new ProcessIds(InstantSource.fixed(Instant.ofEpochMilli(1_001))).get();

    assertThat(later).isGreaterThan(earlier).hasSize(19).matches("p[0-9a-z]+");
  }
}
