package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Background;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Deadline;
import dev.sandpiper.tests.harness.Event;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.Numbers;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.RpcException;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/// The output log as its readers see it: slow ones, pausing ones, dead ones, many at once.
///
/// The retention is small, so that a reader falls behind by all of it soon.
final class OutputLogIT {
  private static final long RETENTION_BYTES = 4 << 20;
  private static final long STEADY_BYTES_PER_SECOND = 2_000_000;

  /// Short, yet longer than a busy machine keeps a client from reading.
  private static final Duration STALL_LIMIT = Duration.ofSeconds(3);

  private static final boolean PROOF = Boolean.getBoolean("sandpiper.proof");

  /// With a small retention and a short stall limit.
  @RegisterExtension
  static final Agent AGENT =
      Agent.with(builder ->
          builder
              .flag("--output-retention", RETENTION_BYTES)
              .flag("--stall-limit", STALL_LIMIT.toMillis() + "ms"));

  /// Reads to the end of the call without keeping the output.
  private record Received(long bytes, String hash, Follower follower) {
    static Received of(Follower follower) {
      return of(follower, () -> {});
    }

    static Received of(Follower follower, Runnable afterEach) {
      MessageDigest digest = Numbers.sha256();
      follower.withoutKeepingOutput();
      while (true) {
        switch (follower.next()) {
          case Event.Data(String _, var bytes) -> {
            digest.update(bytes.asReadOnlyByteBuffer());
            afterEach.run();
          }
          case Event.Over _ -> {
            return new Received(
                follower.bytes(), HexFormat.of().formatHex(digest.digest()), follower);
          }
          default -> {}
        }
      }
    }

    void assertAll(Numbers expected) {
      assertThat(follower.end().exitCode()).isZero();
      assertThat(bytes).isEqualTo(expected.bytes());
      assertThat(hash).isEqualTo(expected.hash());
    }
  }

  private static CompletableFuture<Received> receiving(Follower follower) {
    follower.pid();
    return Background.supply(() -> Received.of(follower));
  }

  @Test
  void aClientThatStopsReadingIsEndedWhileTheOtherAndTheCommandGoOn() {
    AgentProcess agent = AGENT.get();
    Numbers numbers = Numbers.ofAtLeast(32 << 20);
    Processes stuckClient = agent.binaryWithReceiveBuffer(16 * 1024);
    try (Follower stuck = stuckClient.start(numbers.afterInput());
        Follower healthy = agent.binary().connect(stuck.pid())) {
      CompletableFuture<Received> other = receiving(healthy);
      long started = System.nanoTime();
      agent.json().sendStdin(stuck.pid(), "\n");

      other.join().assertAll(numbers);
      Measured.print(
          "32 MiB to the second client while the first had stopped reading: %.2f s, stall limit %.1f s",
          Measured.seconds(Measured.since(started)), Measured.seconds(STALL_LIMIT));
      await("the command is gone").until(() -> !ProcFs.exists(stuck.pid()));

      RpcException error = Received.of(stuck).follower().error();
      assertThat(error.code()).isEqualTo("resource_exhausted");
      assertThat(error.detail()).as("names its offset").containsPattern("[0-9]{3,}");
      assertThat(stuck.bytes()).isLessThan(numbers.bytes());
    }
  }

  @Test
  void aDeadClientCostsACommandAtMostOneStallLimit() {
    AgentProcess agent = AGENT.get();
    Numbers numbers = Numbers.ofAtLeast(16 << 20);
    try (Follower dead =
        agent.binaryWithReceiveBuffer(16 * 1024).start(numbers.afterInput().tag("dead"))) {
      int pid = dead.pid();
      long started = System.nanoTime();
      agent.json().sendStdin(pid, "\n");
      await("the command ends").atMost(Deadline.PATIENCE).until(() -> !ProcFs.exists(pid));
      Measured.print(
          "16 MiB with a dead client only: %.2f s, stall limit %.1f s",
          Measured.seconds(Measured.since(started)), Measured.seconds(STALL_LIMIT));
    }
    assertThat(agent.records().awaitEnd("dead").getLast().number("stdout_bytes"))
        .isEqualTo(numbers.bytes());
  }

  /// The client reads nothing until the command is held, then everything.
  @Test
  void aClientThatPausesAndGoesOnGetsEveryByte() {
    try (AgentProcess agent =
        AgentProcess.builder()
            .flag("--output-retention", RETENTION_BYTES)
            .flag("--stall-limit", "60s")
            .start()) {
      Numbers numbers = Numbers.ofAtLeast(24 << 20);
      for (Processes client : List.of(agent.binaryWithReceiveBuffer(16 * 1024), agent.json())) {
        try (Follower run = client.start(numbers.afterInput())) {
          int pid = run.pid();
          agent.json().sendStdin(pid, "\n");
          awaitHeld(pid);
          assertThat(ProcFs.exists(pid)).isTrue();
          Received.of(run).assertAll(numbers);
        }
      }
    }
  }

  /// Waits until a command has written something and then nothing more for a while.
  private static void awaitHeld(int pid) {
    long[] last = {-1};
    await("the command is held back")
        .atMost(Deadline.PATIENCE)
        .pollInterval(Duration.ofMillis(200))
        .until(() -> {
          long written = ProcFs.written(pid);
          boolean same = written == last[0] && written > 0;
          last[0] = written;
          return same;
        });
  }

  /// Several times the rate that the stall limit asks for (256 KiB in it), and never a pause.
  @Test
  void aSlowButSteadyClientIsNotEnded() {
    AgentProcess agent = AGENT.get();
    Numbers numbers = Numbers.ofAtLeast(8 << 20);
    Processes client = agent.binaryWithReceiveBuffer(64 * 1024);
    try (Follower run = client.start(numbers.afterInput())) {
      agent.json().sendStdin(run.pid(), "\n");
      long started = System.nanoTime();
      Received.of(
              run,
              () -> {
                long dueNanos = run.bytes() * 1_000_000_000 / STEADY_BYTES_PER_SECOND;
                LockSupport.parkNanos(dueNanos - (System.nanoTime() - started));
              })
          .assertAll(numbers);
    }
  }

  @Test
  void memoryStaysFlatWhileALotGoesToASlowReader() {
    long bytes = PROOF ? 2L << 30 : 64L << 20;
    Numbers numbers = Numbers.ofAtLeast(bytes);
    AgentProcess agent = AGENT.get();
    for (Processes client : List.of(agent.binaryWithReceiveBuffer(64 * 1024), agent.json())) {
      Received.of(client.start(Command.of("seq", "1", "300000")));
      try (Follower run = client.start(numbers.afterInput())) {
        agent.json().sendStdin(run.pid(), "\n");
        ProcFs.resetPeak(agent.pid());
        long before = ProcFs.residentBytes(agent.pid());
        long started = System.nanoTime();
        long pauseNanos = PROOF ? 100_000 : 300_000;
        // A slow link: a pause after each message, not a wait for anything.
        Received.of(run, () -> LockSupport.parkNanos(pauseNanos)).assertAll(numbers);
        long peak = ProcFs.peakResidentBytes(agent.pid());
        Measured.print(
            "%d MiB to a slow reader in %.1f s: resident memory %d MiB, at most %d MiB",
            bytes >> 20, Measured.seconds(Measured.since(started)), before >> 20, peak >> 20);
        assertThat(peak - before).isLessThan(32 << 20);
      }
    }
  }

  @Test
  void manyClientsGetTheSameBytesInTheSameOrder() {
    AgentProcess agent = AGENT.get();
    Numbers numbers = Numbers.ofAtLeast(8 << 20);
    try (Follower first = agent.binary().start(numbers.afterInput())) {
      int pid = first.pid();
      List<CompletableFuture<Received>> clients =
          IntStream.range(0, 8)
              .mapToObj(i ->
                  receiving(
                      switch (i % 4) {
                        case 0 -> agent.json().connect(pid);
                        case 1 -> agent.binary().connect(pid);
                        case 2 -> agent.grpc().connect(pid);
                        default -> agent.grpcWeb().connect(pid);
                      }))
              .toList();
      agent.json().sendStdin(pid, "\n");
      Received.of(first).assertAll(numbers);
      for (CompletableFuture<Received> client : clients) {
        Received received = client.join();
        received.assertAll(numbers);
        received.follower().close();
      }
    }
  }

  @Test
  void aClientThatIsCutOffHarmsNobody() {
    AgentProcess agent = AGENT.get();
    Numbers numbers = Numbers.ofAtLeast(8 << 20);
    for (int i = 0; i < 10; i++) {
      try (Follower stays = agent.binary().start(numbers.afterInput())) {
        Follower leaves = agent.json().connect(stays.pid());
        leaves.pid();
        agent.json().sendStdin(stays.pid(), "\n");
        leaves.withoutKeepingOutput().awaitBytes(100_000L * i);
        leaves.close();
        Received.of(stays).assertAll(numbers);
      }
    }
  }

  @Test
  void theStreamsKeepTheirOwnOrder() {
    Follower run =
        AGENT
            .get()
            .json()
            .run(
                Command.python(
                    """
                    import os
                    for i in range(20000): os.write(1 + i % 2, b'%d\\n' % i)
                    """));
    List<String> out = run.stdout().lines().toList();
    List<String> err = run.stderr().lines().toList();
    assertThat(out).hasSize(10_000);
    assertThat(err).hasSize(10_000);
    for (int i = 0; i < 10_000; i++) {
      assertThat(out.get(i)).isEqualTo(Integer.toString(2 * i));
      assertThat(err.get(i)).isEqualTo(Integer.toString(2 * i + 1));
    }
  }

  /// Nobody is attached: the command runs at its own speed and the log keeps the newest part.
  @Test
  void aCommandWithoutAnyClientIsNeverHeld() {
    AgentProcess agent = AGENT.get();
    Numbers numbers = Numbers.ofAtLeast(32 << 20);
    int pid;
    try (Follower run = agent.json().start(numbers.afterInput().tag("alone"))) {
      pid = run.pid();
    }
    long started = System.nanoTime();
    agent.json().sendStdin(pid, "\n");
    assertThat(agent.records().awaitEnd("alone").getLast().number("stdout_bytes"))
        .isEqualTo(numbers.bytes());
    Measured.print(
        "32 MiB with nobody attached: %.2f s", Measured.seconds(Measured.since(started)));
  }
}
