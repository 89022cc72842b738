package dev.sandpiper.agent.filesystem.watch;

import dev.sandpiper.agent.config.Setting;
import dev.sandpiper.agent.config.Settings;
import java.time.Duration;
import java.util.List;

/// The bounds of watching.
///
/// @param bufferBytes events of one watch that may wait for its caller
/// @param directories watched by all watches together
/// @param watchers polling watchers at a time
/// @param expiry how long a polling watcher lives without being asked
public record WatchSettings(long bufferBytes, int directories, int watchers, Duration expiry) {
  static final Setting<Long> BUFFER =
      Setting.size("watch-buffer")
          .between(64L << 10, 1L << 30)
          .defaultsTo(2L << 20)
          .because(
              "events of one watch that may wait for its client, some 40 bytes each; more end a stream"
                  + " with an error, and are reported to a polling client as lost");

  static final Setting<Integer> DIRECTORIES =
      Setting.integer("watch-directories")
          .between(1, 10_000_000)
          .defaultsTo(100_000)
          .because(
              "directories that may be watched at a time, by all watches together; each takes some 200"
                  + " bytes here and a KiB in the kernel");

  static final Setting<Integer> WATCHERS =
      Setting.integer("watchers")
          .between(0, 10_000)
          .defaultsTo(32)
          .because("polling watchers at a time; one more is refused");

  static final Setting<Duration> EXPIRY =
      Setting.time("watcher-expiry")
          .between(Duration.ofSeconds(1), Duration.ofDays(30))
          .defaultsTo(Duration.ofHours(1))
          .because("how long a polling watcher is kept that nobody asks for its events");

  public static final WatchSettings DEFAULT = from(Settings.defaults(all()));

  /// The settings of this package.
  public static List<Setting<?>> all() {
    return List.of(BUFFER, DIRECTORIES, WATCHERS, EXPIRY);
  }

  /// What the settings say.
  public static WatchSettings from(Settings settings) {
    return new WatchSettings(
        settings.get(BUFFER),
        settings.get(DIRECTORIES),
        settings.get(WATCHERS),
        settings.get(EXPIRY));
  }
}
