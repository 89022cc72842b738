package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.proto.v1.Cause;
import dev.sandpiper.proto.v1.ListRequest;
import dev.sandpiper.proto.v1.ListResponse;
import dev.sandpiper.proto.v1.ProcessInfo;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.Native;
import dev.sandpiper.tests.harness.RestartedAgent;
import dev.sandpiper.tests.harness.RpcException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

/// Starts with keys, each sent by several clients at once, while the agent is killed: one process for each key.
final class KeysIT {
  private static final int KEYS = Boolean.getBoolean("sandpiper.proof") ? 1_000 : 60;
  private static final int CLIENTS = 8;
  private static final int KILLS = Boolean.getBoolean("sandpiper.proof") ? 100 : 8;

  @Test
  void everyKeyIsOneProcessThoughEightClientsSendItAtOnceAndTheAgentIsKilledTwice()
      throws Exception {
    long begun = System.nanoTime();
    try (RestartedAgent agent = new RestartedAgent().start();
        ExecutorService clients = Executors.newFixedThreadPool(CLIENTS)) {
      Path ran = agent.directory().resolve("ran");
      Map<Integer, Set<String>> ids = new ConcurrentHashMap<>();
      AtomicInteger reached = new AtomicInteger();
      AtomicInteger repeats = new AtomicInteger();
      CyclicBarrier together = new CyclicBarrier(CLIENTS);
      List<Future<?>> done = new ArrayList<>();
      for (int client = 0; client < CLIENTS; client++) {
        done.add(
            clients.submit(() -> {
              Native api = new Native(agent.rpc());
              for (int key = 0; key < KEYS; key++) {
                together.await(60, TimeUnit.SECONDS);
                reached.set(key);
                ids.computeIfAbsent(key, _ -> ConcurrentHashMap.newKeySet())
                    .add(start(api, key, "echo %d >> %s; exec sleep 600", ran, repeats));
              }
              return null;
            }));
      }
      for (int kill = 1; kill <= 2; kill++) {
        int at = KEYS * kill / 3;
        await()
            .atMost(Duration.ofMinutes(5))
            .pollInterval(Duration.ofMillis(1))
            .until(() -> reached.get() >= at);
        agent.kill();
        agent.start();
      }
      for (Future<?> each : done) {
        each.get(10, TimeUnit.MINUTES);
      }

      assertThat(ids).hasSize(KEYS).allSatisfy((_, ofKey) -> assertThat(ofKey).hasSize(1));
      assertThat(listed(new Native(agent.rpc()))).hasSize(KEYS).doesNotHaveDuplicates();
      // A start is answered when the shell has been spawned, which is before it prints.
      await().atMost(Duration.ofMinutes(1)).until(() -> Files.readAllLines(ran).size() >= KEYS);
      assertThat(Files.readAllLines(ran)).as(agent::said).hasSize(KEYS).doesNotHaveDuplicates();
      Measured.print(
          "%d keys, each sent by %d clients at once, 2 kills, %d calls repeated after a cut:"
              + " %d processes, in %.1f s",
          KEYS,
          CLIENTS,
          repeats.get(),
          Files.readAllLines(ran).size(),
          Measured.seconds(Measured.since(begun)));
    }
  }

  /// The agent is killed again and again while commands are started that are over before the next one looks.
  @Test
  void aCommandThatIsOverAtOnceRunsOnceOrIsSaidToBeLost() throws Exception {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    try (RestartedAgent agent = new RestartedAgent().start();
        ExecutorService client = Executors.newSingleThreadExecutor()) {
      Path ran = Files.createFile(agent.directory().resolve("ran"));
      AtomicBoolean enough = new AtomicBoolean();
      AtomicInteger answered = new AtomicInteger();
      AtomicInteger repeats = new AtomicInteger();
      Future<List<String>> ids =
          client.submit(() -> {
            Native api = new Native(agent.rpc());
            List<String> started = new ArrayList<>();
            while (!enough.get()) {
              started.add(start(api, started.size(), "echo %d >> %s; echo said", ran, repeats));
              answered.incrementAndGet();
            }
            return started;
          });
      for (int kill = 0; kill < KILLS; kill++) {
        int before = answered.get();
        await().pollInterval(Duration.ofMillis(1)).until(() -> answered.get() > before);
        LockSupport.parkNanos(random.nextLong(20_000_000)); // in the middle of another
        agent.kill();
        agent.start();
      }
      enough.set(true);
      List<String> started = ids.get(2, TimeUnit.MINUTES);
      Native api = new Native(agent.rpc());
      Set<Integer> lines = new HashSet<>();
      for (String line : Files.readAllLines(ran)) {
        assertThat(lines.add(Integer.parseInt(line)))
            .as("%s ran twice, seed %d", line, seed)
            .isTrue();
      }
      int lost = 0;
      assertThat(started).doesNotHaveDuplicates();
      for (int key = 0; key < started.size(); key++) {
        ProcessInfo process = api.await(started.get(key));
        boolean unknown = process.getEnd().getCause() == Cause.CAUSE_LOST;
        if (lines.contains(key)) {
          assertThat(api.read(started.get(key)))
              .as("%s, seed %d", process, seed)
              .isEqualTo("said\n");
        } else {
          assertThat(unknown).as("%s did not run, seed %d", process, seed).isTrue();
        }
        lost += unknown ? 1 : 0;
      }
      Measured.print(
          "%d kills, seed %d: %d starts with keys, %d calls repeated, %d commands ran, %d ends lost",
          KILLS, seed, started.size(), repeats.get(), lines.size(), lost);
    }
  }

  /// Sends it until there is an answer, as a client does whose connection is cut.
  private static String start(Native api, int key, String script, Path ran, AtomicInteger repeats) {
    while (true) {
      try {
        return api.start(Native.shell(script.formatted(key, ran)).setTag("keyed"), "key-" + key)
            .getProcess()
            .getId();
      } catch (UncheckedIOException | HttpConnection.Cut e) {
        again(repeats);
      } catch (RpcException e) {
        if (!e.code().equals("unavailable")) {
          throw e;
        }
        again(repeats);
      }
    }
  }

  private static void again(AtomicInteger repeats) {
    repeats.incrementAndGet();
    LockSupport.parkNanos(10_000_000); // as clients back off
  }

  private static List<String> listed(Native api) {
    List<String> ids = new ArrayList<>();
    ListRequest.Builder request = ListRequest.newBuilder().setTag("keyed").setLimit(7);
    do {
      ListResponse page = api.list(request.build());
      page.getProcessesList().forEach(process -> ids.add(process.getId()));
      request.setPageToken(page.getNextPageToken());
    } while (!request.getPageToken().isEmpty());
    return ids;
  }
}
