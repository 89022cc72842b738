package dev.sandpiper.agent.rest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class AcceptableTest {
  private static final List<String> TYPES =
      List.of("application/json", "text/plain", "application/openmetrics-text");

  @ParameterizedTest(name = "{0} gets {1}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          */*                                                          | application/json
          application/json                                             | application/json
          application/json, text/plain, */*                            | application/json
          text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8 | application/json
          image/png                                                    | application/json
          ''                                                           | application/json
          , ;q=1,;;                                                    | application/json
          text/plain                                                   | text/plain
          TEXT/PLAIN; Version=0.0.4                                    | text/plain
          text/*                                                       | text/plain
          text/plain;version=0.0.4;q=0.5,*/*;q=0.1                     | text/plain
          application/json;q=0, text/plain;q=0.1                       | text/plain
          */*;q=0.9, application/json;q=0.1                            | text/plain
          application/openmetrics-text; version=1.0.0                  | application/openmetrics-text
          application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2 | application/openmetrics-text
          text/plain;q=abc                                             | text/plain
          text/plain;q=NaN                                             | text/plain
          text/plain;q=5                                               | text/plain
          """)
  void choosesWhatIsWantedMost(String accept, String type) {
    assertThat(Acceptable.best(List.of(accept), TYPES)).isEqualTo(type);
  }

  @Test
  void aHeaderMayComeInParts() {
    assertThat(Acceptable.best(List.of("*/*;q=0.1", "text/plain"), TYPES)).isEqualTo("text/plain");
    assertThat(Acceptable.best(List.of(), TYPES)).isEqualTo("application/json");
  }
}
