package dev.sandpiper.agent.rest;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class MetricsAnswersTest {
  @ParameterizedTest
  @CsvSource({
    "0,0",
    "12.5,12.5",
    "99.999,100",
    "7.05,7.05",
    "7.049,7.05",
    "0.004,0",
    "33.33333,33.33"
  })
  void aPercentageHasTwoDecimalsAtMost(double percentage, String text) {
    assertThat(MetricsAnswers.hundredths(percentage)).isEqualTo(text);
  }
}
