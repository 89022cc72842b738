package dev.sandpiper.agent.process;

import dev.sandpiper.agent.config.Setting;
import dev.sandpiper.agent.config.Settings;
import java.time.Duration;
import java.util.List;

/// Limits of the processes' lives.
///
/// @param drainLimit how long after the leader's exit bytes are still awaited before the end is told
/// @param retainEnds how long an end is kept for callers that connect late
/// @param retainedEnds how many ends are kept at the most
/// @param inputQueueBytes bytes that may wait to be written to one process's input
/// @param inputStallLimit how long a process may take nothing from its input before a write is answered
/// @param stopGrace how long a process has between SIGTERM and SIGKILL when the agent stops
/// @param onStop whether it gets them at all
public record ProcessSettings(
    Duration drainLimit,
    Duration retainEnds,
    int retainedEnds,
    long inputQueueBytes,
    Duration inputStallLimit,
    Duration stopGrace,
    OnStop onStop) {

  /// How many ends are kept at the most: at 1,000 starts a second ten seconds' worth, about 3 MiB.
  private static final int RETAINED_ENDS = 10_000;

  static final Setting<Duration> DRAIN_LIMIT =
      Setting.time("drain-limit")
          .between(Duration.ZERO, Duration.ofMinutes(10))
          .defaultsTo(Duration.ofSeconds(2))
          .because(
              "how long after a command's exit its end waits for output of children that hold its streams");

  static final Setting<Duration> RETAIN_ENDS =
      Setting.time("retain-ends")
          .between(Duration.ZERO, Duration.ofHours(1))
          .defaultsTo(Duration.ofSeconds(30))
          .because("how long the end of a command is kept for clients that connect late");

  static final Setting<Long> INPUT_QUEUE =
      Setting.size("input-queue")
          .between(64L * 1024, 1L << 30)
          .defaultsTo(4L << 20)
          .because("input that may wait for one command to read it; more is refused");

  static final Setting<Duration> INPUT_STALL_LIMIT =
      Setting.time("input-stall-limit")
          .between(Duration.ofMillis(10), Duration.ofHours(1))
          .defaultsTo(Duration.ofSeconds(30))
          .because(
              "how long a command may read nothing before a write to it is answered with an error");

  static final Setting<Duration> STOP_GRACE =
      Setting.time("stop-grace")
          .between(Duration.ZERO, Duration.ofHours(1))
          .defaultsTo(Duration.ofSeconds(5))
          .because("how long commands have between SIGTERM and SIGKILL when the agent stops");

  static final Setting<OnStop> ON_STOP =
      Setting.choice("on-stop", OnStop.class)
          .defaultsTo(OnStop.STOP)
          .because(
              "what a clean stop of the agent does to running commands: stop them, or leave them to the next agent");

  /// The settings of this package.
  public static List<Setting<?>> all() {
    return List.of(DRAIN_LIMIT, RETAIN_ENDS, INPUT_QUEUE, INPUT_STALL_LIMIT, STOP_GRACE, ON_STOP);
  }

  /// What the settings say.
  public static ProcessSettings from(Settings settings) {
    return new ProcessSettings(
        settings.get(DRAIN_LIMIT),
        settings.get(RETAIN_ENDS),
        RETAINED_ENDS,
        settings.get(INPUT_QUEUE),
        settings.get(INPUT_STALL_LIMIT),
        settings.get(STOP_GRACE),
        settings.get(ON_STOP));
  }
}
