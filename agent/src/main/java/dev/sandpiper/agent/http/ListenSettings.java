package dev.sandpiper.agent.http;

import dev.sandpiper.agent.config.BadSettingException;
import dev.sandpiper.agent.config.Setting;
import dev.sandpiper.agent.config.Settings;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The settings of the front door, and how they become [HttpSettings].
public final class ListenSettings {
  static final Setting<Integer> PORT =
      Setting.integer("port")
          .between(0, 65535)
          .defaultsTo(49983)
          .because("TCP port for every protocol; 0 takes a free one");

  /// Named by errors of others, too.
  public static final Setting<List<String>> LISTEN =
      Setting.list("listen")
          .defaultsTo(List.of("127.0.0.1"))
          .because(
              "addresses to listen at; beyond the loopback only with a token, --await-init or --allow-unauthenticated");

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

  static final Setting<Optional<Path>> TLS_CERT =
      Setting.path("tls-cert")
          .optional()
          .because(
              "PEM file with the certificate of the port and those up to its authority; the port then speaks TLS only");

  static final Setting<Optional<Path>> TLS_KEY =
      Setting.path("tls-key")
          .optional()
          .because("PEM file with that certificate's private key, without a password");

  static final Setting<Optional<Path>> TLS_CLIENT_CA =
      Setting.path("tls-client-ca")
          .optional()
          .because(
              "PEM file with authorities; then every client has to show a certificate that one of them has signed");

  private ListenSettings() {}

  /// The settings of this package.
  public static List<Setting<?>> all() {
    return List.of(PORT, LISTEN, TLS_CERT, TLS_KEY, TLS_CLIENT_CA, IDLE_TIMEOUT, SHUTDOWN_GRACE);
  }

  /// What the settings say. The files of TLS are read by [HttpServer#bind].
  public static HttpSettings from(Settings settings) throws BadSettingException {
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
        tls(settings));
  }

  private static @Nullable TlsSettings tls(Settings settings) throws BadSettingException {
    Optional<Path> certificate = settings.get(TLS_CERT);
    Optional<Path> key = settings.get(TLS_KEY);
    Optional<Path> clientCa = settings.get(TLS_CLIENT_CA);
    if (certificate.isPresent() && key.isPresent()) {
      return new TlsSettings(certificate.get(), key.get(), clientCa.orElse(null));
    }
    if (certificate.isPresent()) {
      throw BadSettingException.of(TLS_CERT, "is given without " + TLS_KEY);
    }
    if (key.isPresent()) {
      throw BadSettingException.of(TLS_KEY, "is given without " + TLS_CERT);
    }
    if (clientCa.isPresent()) {
      throw BadSettingException.of(
          TLS_CLIENT_CA, "is given without " + TLS_CERT + " and " + TLS_KEY);
    }
    return null;
  }
}
