package dev.sandpiper.agent.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sandpiper.agent.launch.Stdio;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StartKeysTest {
  @TempDir Path directory;
  private ProcessFixture fixture;

  @BeforeEach
  void start() throws Exception {
    fixture = new ProcessFixture(directory, ProcessFixture.settings());
  }

  @AfterEach
  void stop() throws Exception {
    fixture.stop();
  }

  private static StartSpec keyed(String script, String key) {
    return keyed(script, key, Map.of());
  }

  private static StartSpec keyed(String script, String key, Map<String, String> environment) {
    return new StartSpec(
        "sh",
        List.of("-c", script),
        environment,
        Optional.of("/"),
        Optional.empty(),
        Optional.empty(),
        new Stdio.Pipes(false),
        Optional.of(Duration.ofMinutes(1)),
        Optional.of(key),
        false);
  }

  @Test
  void eightCallersAtOnceWithOneKeyHaveOneProcess() throws Exception {
    Path ran = directory.resolve("ran");
    CyclicBarrier together = new CyclicBarrier(8);
    try (ExecutorService callers = Executors.newFixedThreadPool(8)) {
      for (int round = 0; round < 50; round++) {
        StartSpec spec = keyed("echo x >> " + ran, "round " + round);
        List<Future<ManagedProcess>> started = new ArrayList<>();
        for (int caller = 0; caller < 8; caller++) {
          started.add(
              callers.submit(() -> {
                together.await(60, TimeUnit.SECONDS);
                return fixture.start(spec);
              }));
        }
        ManagedProcess first = started.getFirst().get();
        for (Future<ManagedProcess> each : started) {
          assertThat(each.get()).as("round " + round).isSameAs(first);
        }
        ProcessFixture.endOf(first);
      }
    }
    assertThat(Files.readAllLines(ran)).hasSize(50);
    assertThat(fixture.processes.all()).hasSize(50);
  }

  @Test
  void anotherRequestWithTheKeyIsRefusedByNameAndTheEnvironmentCounts() throws Exception {
    ManagedProcess process = fixture.start(keyed("sleep 60", "k", Map.of("A", "1")));

    assertThat(fixture.start(keyed("sleep 60", "k", Map.of("A", "1")))).isSameAs(process);
    assertThatThrownBy(() -> fixture.start(keyed("sleep 60", "k", Map.of("A", "2"))))
        .cause()
        .isInstanceOfSatisfying(
            StartRefused.class,
            refused -> assertThat(refused.reason()).isEqualTo(StartRefused.Reason.KEY_CONFLICT))
        .hasMessageContaining("key 'k'")
        .hasMessageContaining(process.processId());
  }

  @Test
  void aKeyOutlivesTheAgentAndNotItsProcess() throws Exception {
    StartSpec spec = keyed("echo out", "k", Map.of("SECRET", "do not write this down"));
    ManagedProcess process = fixture.start(spec);
    ProcessFixture.endOf(process);
    fixture.stop();
    assertThat(
            Files.readString(
                directory.resolve("state/journal"), java.nio.charset.StandardCharsets.ISO_8859_1))
        .contains(process.processId())
        .doesNotContain("do not write this down");

    fixture = new ProcessFixture(directory, ProcessFixture.settings());

    assertThat(fixture.start(spec).processId()).isEqualTo(process.processId());
    assertThatThrownBy(() -> fixture.start(keyed("echo other", "k")))
        .hasMessageContaining("key 'k'");
    assertThat(fixture.processes.delete(process.processId())).isEqualTo(DeleteOutcome.DELETED);
    assertThat(fixture.start(spec).processId()).isNotEqualTo(process.processId());
  }

  @Test
  void aStartThatFailedLeavesItsKeyFreeAlsoForTheNextAgent() throws Exception {
    StartSpec missing =
        new StartSpec(
            "no-such-command",
            List.of(),
            Map.of(),
            Optional.of("/"),
            Optional.empty(),
            Optional.empty(),
            new Stdio.Pipes(false),
            Optional.empty(),
            Optional.of("k"),
            false);
    assertThatThrownBy(() -> fixture.start(missing)).hasMessageContaining("no-such-command");
    fixture.stop();
    fixture = new ProcessFixture(directory, ProcessFixture.settings());

    assertThat(fixture.processes.all()).isEmpty();
    assertThat(fixture.start(keyed("true", "k"))).isNotNull();
  }
}
