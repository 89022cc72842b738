package dev.sandpiper.agent.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JsonEndTest {
  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      delimiter = '|',
      value = {
        "{}|-1",
        "`{} \n\t\r`|-1",
        "{}}|2",
        "{} {}|3",
        "{} x|3",
        "{\"a\":\"}\"}|-1",
        "{\"a\":\"\\\"}\"} ,|12",
        "{\"a\":[{},{}]}|-1",
        "[]]|2",
        "{\"a\":|-1",
      })
  void whatFollowsTheFirstObjectIsFound(String json, int expected) {
    assertThat(JsonEnd.trailing(json)).isEqualTo(expected);
  }
}
