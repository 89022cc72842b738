package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.Shell;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/// What two thousand commands leave behind: nothing.
final class LeaksIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  private static final int STARTS = 2_000;
  private static final int CLIENTS = 8;

  @Test
  void manyStartsLeaveNoDescriptorThreadOrZombie() throws Exception {
    AgentProcess agent = AGENT.get();
    startMany(200);
    await().until(() -> agent.json().list().isEmpty());
    Map<Integer, String> before = ProcFs.descriptors(agent.pid());
    int threads = ProcFs.threads(agent.pid());
    long resident = ProcFs.residentBytes(agent.pid());

    long started = System.nanoTime();
    startMany(STARTS);

    Measured.print(
        "%d starts by %d clients in %.1f s; resident memory %d → %d MiB, threads %d → %d",
        STARTS,
        CLIENTS,
        Measured.seconds(Measured.since(started)),
        resident >> 20,
        ProcFs.residentBytes(agent.pid()) >> 20,
        threads,
        ProcFs.threads(agent.pid()));
    await("descriptors as before")
        .untilAsserted(() ->
            assertThat(ProcFs.descriptors(agent.pid()).values())
                .hasSizeLessThanOrEqualTo(before.size() + 8));
    // Pools may still be growing to their bound; a thread per command would be two thousand.
    assertThat(ProcFs.threads(agent.pid())).isLessThanOrEqualTo(threads + 8);
    assertThat(ProcFs.zombiesOf(agent.pid())).isEmpty();
    assertThat(agent.json().list()).isEmpty();
  }

  /// In a pid namespace of its own, as in a container without an init: what loses its parent becomes the agent's.
  @Test
  void asProcessOneTheAgentReapsOrphans() {
    assumeTrue(
        Shell.run("unshare", "--pid", "--fork", "--mount-proc", "true").exitCode() == 0,
        "needs the right to make a pid namespace (unshare)");
    try (AgentProcess agent =
        AgentProcess.builder().via("unshare", "--pid", "--fork", "--mount-proc").start()) {
      Processes processes = agent.json();
      for (int i = 0; i < 20; i++) {
        Follower run =
            processes.run(Command.sh("(sh -c 'exit 3' & sh -c 'sleep 0.05' &) ; exit 4"));
        assertThat(run.end().exitCode()).as("its own status is not taken").isEqualTo(4);
      }
      await("no zombie")
          .untilAsserted(() ->
              assertThat(
                      processes
                          .run(Command.sh("grep -l '^State:.Z' /proc/[0-9]*/status; :"))
                          .stdout())
                  .isEmpty());
      ProcFs.childrenOf(agent.pid()).forEach(inner -> Shell.run("kill", "-TERM", "" + inner));
      agent.awaitExit();
    }
  }

  private static void startMany(int starts) throws Exception {
    Processes processes = AGENT.get().binary();
    try (ExecutorService clients = Executors.newFixedThreadPool(CLIENTS)) {
      List<Future<?>> done =
          IntStream.range(0, CLIENTS)
              .<Future<?>>mapToObj(client ->
                  clients.submit(() -> {
                    for (int i = 0; i < starts / CLIENTS; i++) {
                      Command command =
                          switch (i % 20) {
                            case 0 -> Command.of("/bin/true").pty(80, 24);
                            case 1 -> Command.of("/bin/echo", "x");
                            case 2 -> Command.of("/bin/cat").stdin().timeLimitMillis(20);
                            case 3 -> Command.of("/no/such/command");
                            default -> Command.of("/bin/true");
                          };
                      try (var run = processes.start(command)) {
                        run.over();
                      }
                    }
                  }))
              .toList();
      for (Future<?> one : done) {
        one.get();
      }
    }
  }
}
