package dev.sandpiper.tests.harness;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;

/// A program with many cases, written against one of E2B's published packages, run once against an agent; each case is
/// then reported under its own name.
///
/// The program prints a line of JSON for each case: `{"file", "name", "ok", "skipped", "millis", "error"}`.
public final class SdkCases {
  private static final long RUN_SECONDS = 150;

  private SdkCases() {}

  /// Runs against an agent that takes no token.
  public static List<DynamicNode> open(ProcessBuilder program) {
    return withAccounts(accounts -> {
      AgentProcess.Builder builder = AgentProcess.builder();
      if (accounts.there()) {
        builder.flag("--default-user", accounts.first());
      }
      try (AgentProcess agent = builder.start()) {
        program.environment().put("E2B_DEBUG", "true");
        return run(program, agent, accounts);
      }
    });
  }

  /// Runs as in production: a control plane sets the agent's token and default user, through `POST /init`, and tells the
  /// package the token.
  public static List<DynamicNode> secured(ProcessBuilder program) {
    return withAccounts(accounts -> {
      try (AgentProcess agent = AgentProcess.builder().flag("--await-init", true).start();
          ControlPlane plane = new ControlPlane(agent, accounts.first())) {
        program.environment().remove("E2B_DEBUG");
        program.environment().put("E2B_API_URL", plane.url());
        program.environment().put("E2B_API_KEY", "e2b_" + "0".repeat(40));
        List<DynamicNode> cases = run(program, agent, accounts);
        assertThat(agent.stderr()).as("no token in the log").doesNotContain(plane.token());
        assertThat(agent.records().all())
            .as("no token in the records")
            .noneMatch(record -> record.toString().contains(plane.token()));
        return cases;
      }
    });
  }

  /// Names of the account that requests act as which name none, and of another; empty where none can be made. Login
  /// shells of accounts that were just made are quick and alike everywhere, unlike those of whoever runs the tests.
  private record Accounts(String first, String second) {
    boolean there() {
      return !first.isEmpty();
    }
  }

  private static List<DynamicNode> withAccounts(Function<Accounts, List<DynamicNode>> run) {
    if (!Account.isRoot()) {
      return run.apply(new Accounts("", ""));
    }
    try (Account first = new Account();
        Account second = new Account()) {
      return run.apply(new Accounts(first.name(), second.name()));
    }
  }

  private static List<DynamicNode> run(
      ProcessBuilder program, AgentProcess agent, Accounts accounts) {
    long started = System.nanoTime();
    Path directory = workDirectory();
    try {
      Map<String, String> environment = program.environment();
      environment.put("E2B_SANDBOX_URL", "http://127.0.0.1:" + agent.port());
      environment.put("SANDPIPER_TEST_USER", accounts.second());
      environment.put("SANDPIPER_TEST_DIRECTORY", directory.toString());
      Shell.Result result = Shell.run(program, RUN_SECONDS);
      List<Json> lines = result.stdout().lines().map(Json::parse).toList();
      assertThat(lines).as("cases; %s", result).hasSizeGreaterThan(40);
      Measured.print(
          "%d cases of %s in %.1f s",
          lines.size(), program.command(), Measured.seconds(Measured.since(started)));
      return byFile(lines);
    } finally {
      AgentProcess.remove(directory);
    }
  }

  private static List<DynamicNode> byFile(List<Json> lines) {
    Map<String, List<DynamicNode>> files = new TreeMap<>();
    for (Json one : lines) {
      files
          .computeIfAbsent(one.string("file"), _ -> new ArrayList<>())
          .add(DynamicTest.dynamicTest(one.string("name"), () -> report(one)));
    }
    List<DynamicNode> nodes = new ArrayList<>();
    files.forEach((file, cases) -> nodes.add(DynamicContainer.dynamicContainer(file, cases)));
    return nodes;
  }

  private static void report(Json one) {
    assumeTrue(one.string("skipped").isEmpty(), one.string("skipped"));
    String name = one.string("file") + ": " + one.string("name");
    assertThat(one.get("ok"))
        .as("%s: %s", name, one.string("error"))
        .isEqualTo(new Json.Bool(true));
  }

  /// A directory that accounts besides the tests' own can pass through.
  private static Path workDirectory() {
    try {
      return Files.createTempDirectory(
          "sandpiper-sdk-",
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
