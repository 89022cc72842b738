package dev.sandpiper.agent.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

final class CpuWindowTest {
  private static final Offset<Double> NEAR = within(1e-6);

  private final CpuWindow window = new CpuWindow();

  private double at(double seconds, double used) {
    return window.percent((long) (seconds * 1e9), used, 2);
  }

  @Test
  void beginsWithNothing() {
    assertThat(at(100, 5000)).isZero();
  }

  @Test
  void aPollerSeesTheTimeSinceItsCallBefore() {
    at(0, 0);
    assertThat(at(5, 5)).isEqualTo(50, NEAR);
    assertThat(at(10, 5)).isZero();
    assertThat(at(15, 15)).isEqualTo(100, NEAR);
  }

  @Test
  void twoPollersDoNotTakeEachOthersTime() {
    at(0, 0);
    at(0.01, 0);
    assertThat(at(5, 5)).isEqualTo(50, NEAR);
    assertThat(at(5.01, 5)).as("since 0, not since 5").isEqualTo(5 / 5.01 * 50, NEAR);
    assertThat(at(10, 10)).isEqualTo(50, NEAR);
  }

  @Test
  void oneThatAsksAllTheTimeSeesTheLastSecond() {
    double used = 0;
    double answer = 0;
    for (int i = 0; i <= 500; i++) {
      used += i > 400 ? 0.02 : 0; // both processors busy, for the last second
      answer = at(i * 0.01, used);
    }
    assertThat(answer).isBetween(90.0, 100.0);
  }

  @Test
  void twoAtOnceGetTheSameAnswer() {
    at(0, 0);
    assertThat(at(2, 1)).isEqualTo(25, NEAR);
    assertThat(at(2.001, 1)).isCloseTo(25, within(0.1));
    assertThat(new CpuWindow().percent(0, 7, 1)).isZero();
  }

  @Test
  void anotherLimitBeginsAnew() {
    at(0, 100);
    assertThat(window.percent(5_000_000_000L, 3, 1)).as("another count").isZero();
    assertThat(window.percent(7_000_000_000L, 4, 1)).isEqualTo(50, NEAR);
    assertThat(window.percent(9_000_000_000L, 1, 1)).as("a count that fell").isZero();
  }

  @Test
  void staysWithinBounds() {
    at(0, 0);
    assertThat(at(1, 50)).isEqualTo(100, NEAR);
  }
}
