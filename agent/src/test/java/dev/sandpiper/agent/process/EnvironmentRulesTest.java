package dev.sandpiper.agent.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class EnvironmentRulesTest {
  @Test
  void laterSourcesWinAndNothingElseOfTheAgentLeaksIn() {
    var rules =
        new EnvironmentRules(
            Map.of("PATH", "/agent/bin", "SECRET", "x"), Map.of("E2B_SANDBOX", "false"));

    assertThat(rules.environment(TestUsers.ALICE, Map.of("A", "1", "HOME", "/elsewhere")))
        .containsExactlyInAnyOrderEntriesOf(
            Map.of(
                "PATH", "/agent/bin",
                "HOME", "/elsewhere",
                "USER", "alice",
                "LOGNAME", "alice",
                "E2B_SANDBOX", "false",
                "A", "1"));
  }

  @Test
  void anAgentWithoutPathStillGivesOne() {
    var rules = new EnvironmentRules(Map.of(), Map.of());

    assertThat(rules.environment(TestUsers.ALICE, Map.of()).get("PATH")).contains("/usr/bin");
  }

  @Test
  void workingDirectoriesAreResolvedAsTheContractSays() throws StartRefused {
    assertThat(resolve(Optional.empty())).isEqualTo("/home/alice");
    assertThat(resolve(Optional.of(""))).isEqualTo("/home/alice");
    assertThat(resolve(Optional.of("~"))).isEqualTo("/home/alice");
    assertThat(resolve(Optional.of("~/x"))).isEqualTo("/home/alice/x");
    assertThat(resolve(Optional.of("a/../b/./c"))).isEqualTo("/home/alice/b/c");
    assertThat(resolve(Optional.of("../../../.."))).isEqualTo("/");
    assertThat(resolve(Optional.of("/a/../b"))).as("absolute is verbatim").isEqualTo("/a/../b");
  }

  @Test
  void theHomeOfSomebodyElseIsRefused() {
    assertThatThrownBy(() -> resolve(Optional.of("~bob/x")))
        .isInstanceOf(StartRefused.class)
        .hasMessage(
            "failed to expand path '~bob/x' for user 'alice': cannot expand user-specific home dir");
  }

  private static String resolve(Optional<String> path) throws StartRefused {
    return EnvironmentRules.resolve(path, TestUsers.ALICE);
  }
}
