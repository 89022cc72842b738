package dev.sandpiper.agent.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class EnvironmentRulesTest {
  @Test
  void laterSourcesWinAndNothingElseOfTheAgentLeaksIn() {
    var rules =
        new EnvironmentRules(
            Map.of("PATH", "/agent/bin", "SECRET", "x"), Map.of("E2B_SANDBOX", "false"));

    assertThat(
            rules.environment(
                TestUsers.ALICE,
                Map.of("SET", "2", "A", "0", "E2B_SANDBOX", "changed"),
                Map.of("A", "1", "HOME", "/elsewhere", "SANDPIPER_PROCESS_ID", "forged"),
                "an-id"))
        .containsExactlyInAnyOrderEntriesOf(
            Map.of(
                "PATH", "/agent/bin",
                "HOME", "/elsewhere",
                "USER", "alice",
                "LOGNAME", "alice",
                "E2B_SANDBOX", "false",
                "SET", "2",
                "SANDPIPER_PROCESS_ID", "an-id",
                "A", "1"));
  }

  @Test
  void anAgentWithoutPathStillGivesOne() {
    var rules = new EnvironmentRules(Map.of(), Map.of());

    assertThat(rules.environment(TestUsers.ALICE, Map.of(), Map.of(), "an-id").get("PATH"))
        .contains("/usr/bin");
  }
}
