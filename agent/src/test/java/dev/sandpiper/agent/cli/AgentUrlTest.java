package dev.sandpiper.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AgentUrlTest {
  @Test
  void readsHostAndPort() {
    assertThat(AgentUrl.parse("http://box:8080")).isEqualTo(new AgentUrl("box", 8080));
    assertThat(AgentUrl.parse("http://box/")).isEqualTo(new AgentUrl("box", 80));
    assertThat(AgentUrl.parse("http://[::1]:9")).isEqualTo(new AgentUrl("::1", 9));
    assertThat(new AgentUrl("::1", 9)).hasToString("http://[::1]:9");
  }

  @ParameterizedTest
  @CsvSource({
    "box:8080, does not begin with http://",
    "https://box, does not begin with http://",
    "http:///x, names no host",
    "http://box/api, has a path",
    "http://b ox, is not a URL"
  })
  void saysWhatIsWrong(String text, String complaint) {
    assertThatThrownBy(() -> AgentUrl.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(complaint);
  }
}
