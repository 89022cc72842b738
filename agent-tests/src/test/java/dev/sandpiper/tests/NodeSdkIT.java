package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.tests.harness.Account;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Json;
import dev.sandpiper.tests.harness.NodePackages;
import dev.sandpiper.tests.harness.Shell;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.RegisterExtension;

/// Programs written against the published `e2b` npm package, unmodified; the cases are in `src/test/node`.
///
/// By hand, against any agent:
/// `npm ci && E2B_DEBUG=true E2B_SANDBOX_URL=http://localhost:49983 node --test`.
final class NodeSdkIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  private static final long RUN_SECONDS = 150;

  @TestFactory
  List<DynamicNode> commands() {
    NodePackages.installed();
    if (!Account.isRoot()) {
      return run("commands.test.mjs", "");
    }
    try (Account account = new Account()) {
      return run("commands.test.mjs", account.name());
    }
  }

  @TestFactory
  List<DynamicNode> terminals() {
    return run("pty.test.mjs", "");
  }

  /// Runs a file of cases to its end and reports each under its own name.
  private static List<DynamicNode> run(String file, String otherUser) {
    AgentProcess agent = AGENT.get();
    ProcessBuilder node =
        new ProcessBuilder(
                "node", "--test", "--test-timeout=30000", "--test-reporter=./reporter.mjs", file)
            .directory(NodePackages.installed().toFile());
    node.environment().put("E2B_DEBUG", "true");
    node.environment().put("E2B_SANDBOX_URL", "http://127.0.0.1:" + agent.port());
    node.environment().put("SANDPIPER_TEST_USER", otherUser);
    Shell.Result result = Shell.run(node, RUN_SECONDS);
    List<DynamicNode> cases = new ArrayList<>();
    for (String line : result.stdout().lines().toList()) {
      Json one = Json.parse(line);
      cases.add(DynamicTest.dynamicTest(one.string("name"), () -> report(one)));
    }
    assertThat(cases).as("cases of %s; %s", file, result).hasSizeGreaterThan(5);
    return cases;
  }

  private static void report(Json one) {
    assumeTrue(one.string("skipped").isEmpty(), one.string("skipped"));
    assertThat(one.get("ok")).as(one.string("error")).isEqualTo(new Json.Bool(true));
  }
}
