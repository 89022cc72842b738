package dev.sandpiper.tests;

import static org.awaitility.Awaitility.await;

import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Follower;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// Nothing polls while nothing happens: the agent's threads sleep until somebody calls or a command prints.
final class QuietIT {
  /// Longer than any timer that an idle agent would have, such as Netty's look for timers once a second.
  private static final Duration WINDOW = Duration.ofSeconds(3);

  /// Threads of the JVM's own: some look at something every second or oftener, which no flag can change.
  private static final Pattern JVM =
      Pattern.compile(
          "java|VM .*|C[12] Compiler.*|Service Thread|Monitor Deflati.*|Signal Dispatch.*|"
              + "Reference Handl.*|Finalizer|Common-Cleaner|Notification Th.*|Training replay");

  @Test
  void anIdleAgentSleeps() {
    try (AgentProcess agent = AgentProcess.start()) {
      agent.json().list();
      awaitSleep(agent);
    }
  }

  @Test
  void anAgentOfSleepingCommandsSleeps() {
    try (AgentProcess agent = AgentProcess.start()) {
      List<Follower> commands = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        Follower command = agent.json().start(Command.of("sleep", "600"));
        var _ = command.pid(); // waits for the start
        commands.add(command);
      }
      awaitSleep(agent);
      commands.forEach(Follower::close);
    }
  }

  /// Waits for a window in which no thread of the agent's gave up its processor, and so none had it.
  private static void awaitSleep(AgentProcess agent) {
    Map<String, String> before = new TreeMap<>();
    await()
        .atMost(Duration.ofSeconds(40))
        .pollDelay(WINDOW)
        .pollInterval(WINDOW)
        .until(() -> {
          Map<String, String> now = sleeps(agent.pid());
          boolean quiet = now.equals(before);
          before.clear();
          before.putAll(now);
          return quiet;
        });
  }

  /// How often each thread has gone to sleep so far.
  private static Map<String, String> sleeps(long pid) throws IOException {
    Map<String, String> found = new TreeMap<>();
    try (Stream<Path> tasks = Files.list(Path.of("/proc/" + pid + "/task"))) {
      for (Path task : tasks.toList()) {
        List<String> status;
        try {
          status = Files.readAllLines(task.resolve("status"));
        } catch (IOException e) {
          continue; // the thread has ended
        }
        String name = status.getFirst().replaceFirst("Name:\\s*", "");
        if (!JVM.matcher(name).matches()) {
          status.stream()
              .filter(line -> line.startsWith("voluntary_ctxt_switches"))
              .forEach(line -> found.put(name + " " + task.getFileName(), line));
        }
      }
    }
    return found;
  }
}
