package dev.sandpiper.agent.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.SelectStrategy;
import org.junit.jupiter.api.Test;

/// With a clock of its own, which goes on by a microsecond for each look.
final class BriefWaitTest {
  private static final int SLEEP = SelectStrategy.SELECT;

  private long now = 1;
  private boolean tasks;
  private int looks;
  private int readyAfter = Integer.MAX_VALUE;
  private long lookNanos = 1_000;
  private final BriefWait wait = new BriefWait(() -> tasks, () -> now, () -> now += lookNanos);

  /// A turn of the loop: how it is to wait.
  private int turn() throws Exception {
    looks = 0;
    wait.expectRequest();
    return wait.calculateStrategy(() -> ++looks > readyAfter ? 3 : 0, false);
  }

  /// What the loop did since the last turn took this long.
  private void passes(long nanos) {
    now += nanos;
  }

  private void becomesLively() throws Exception {
    assertThat(turn()).isEqualTo(SLEEP);
    passes(100_000);
  }

  @Test
  void aLoopWithNothingToDoSleepsAtOnce() throws Exception {
    for (int i = 0; i < 100; i++) {
      assertThat(turn()).isEqualTo(SLEEP);
      assertThat(looks).isZero();
      passes(BriefWait.SHORT_NANOS);
    }
  }

  @Test
  void aLoopThatHasAnsweredNothingSleepsAtOnce() throws Exception {
    becomesLively();
    assertThat(wait.calculateStrategy(() -> ++looks, false)).isEqualTo(SLEEP);
    assertThat(looks).isZero();
  }

  @Test
  void afterAShortWaitItLooksForAMoment() throws Exception {
    becomesLively();
    assertThat(turn()).isEqualTo(SLEEP);
    assertThat(looks).isEqualTo((int) (BriefWait.AWAKE_NANOS / 1_000));
  }

  @Test
  void whatComesMeanwhileIsTakenAtOnceAndAgain() throws Exception {
    becomesLively();
    readyAfter = 20;
    for (int i = 0; i < 1_000; i++) {
      assertThat(turn()).isEqualTo(3);
      assertThat(looks).isEqualTo(21);
      passes(40_000);
    }
  }

  @Test
  void aTaskEndsTheLookAsNobodyWakesALoopThatIsAwake() throws Exception {
    becomesLively();
    tasks = true;
    assertThat(turn()).isZero();
    assertThat(looks).isOne();
  }

  @Test
  void lookingInVainStaysBelowTwoPercent() throws Exception {
    long looked = 0;
    long began = now;
    for (int i = 0; i < 10_000; i++) {
      assertThat(turn()).isEqualTo(SLEEP);
      looked += looks;
      passes(30_000);
    }
    assertThat(looked * 1_000.0 / (now - began)).isBetween(0.001, 0.02);
  }

  @Test
  void whereOthersNeedTheProcessorItPauses() throws Exception {
    becomesLively();
    lookNanos = BriefWait.OTHERS_RAN_NANOS + 1;
    assertThat(turn()).isEqualTo(SLEEP);
    assertThat(looks).isOne();
    passes(100_000);
    assertThat(turn()).isEqualTo(SLEEP);
    assertThat(looks).isZero();
  }

  @Test
  void aTurnThatMayNotWaitDoesNot() throws Exception {
    becomesLively();
    assertThat(wait.calculateStrategy(() -> 0, true)).isZero();
  }
}
