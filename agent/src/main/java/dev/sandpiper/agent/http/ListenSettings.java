package dev.sandpiper.agent.http;

import dev.sandpiper.agent.config.Setting;
import dev.sandpiper.agent.config.Settings;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;

/// The settings of the front door, and how they become [HttpSettings].
public final class ListenSettings {
  static final Setting<Integer> PORT =
      Setting.integer("port")
          .between(0, 65535)
          .defaultsTo(49983)
          .because("TCP port for every protocol; 0 takes a free one");

  static final Setting<List<String>> LISTEN =
      Setting.list("listen")
          .defaultsTo(List.of("127.0.0.1"))
          .because(
              "addresses to listen at; there is no authentication yet, so beyond the loopback everybody may run commands");

  static final Setting<Duration> IDLE_TIMEOUT =
      Setting.time("idle-timeout")
          .between(Duration.ofSeconds(1), Duration.ofDays(1))
          .defaultsTo(Duration.ofSeconds(640))
          .because(
              "how long a connection without a request stays open; longer than a proxy's in front");

  static final Setting<Duration> SHUTDOWN_GRACE =
      Setting.time("shutdown-grace")
          .between(Duration.ZERO, Duration.ofHours(1))
          .defaultsTo(Duration.ofSeconds(5))
          .because(
              "how long requests may go on when the agent stops, after the commands have ended");

  private ListenSettings() {}

  /// The settings of this package.
  public static List<Setting<?>> all() {
    return List.of(PORT, LISTEN, IDLE_TIMEOUT, SHUTDOWN_GRACE);
  }

  /// What the settings say.
  public static HttpSettings from(Settings settings) {
    int port = settings.get(PORT);
    List<InetSocketAddress> addresses =
        settings.get(LISTEN).stream()
            .map(host -> InetSocketAddress.createUnresolved(host, port))
            .toList();
    HttpSettings defaults = HttpSettings.at(addresses.getFirst());
    return new HttpSettings(
        addresses,
        defaults.ioThreads(),
        defaults.maxHeaderBytes(),
        defaults.maxUriBytes(),
        settings.get(IDLE_TIMEOUT),
        settings.get(SHUTDOWN_GRACE),
        defaults.maxConcurrentStreams(),
        defaults.lowWaterBytes(),
        defaults.highWaterBytes(),
        defaults.tls());
  }
}
