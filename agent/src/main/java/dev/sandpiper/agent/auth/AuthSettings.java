package dev.sandpiper.agent.auth;

import dev.sandpiper.agent.config.BadSettingException;
import dev.sandpiper.agent.config.SecretFile;
import dev.sandpiper.agent.config.Setting;
import dev.sandpiper.agent.config.Settings;
import dev.sandpiper.agent.http.ListenSettings;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Who may call, as configured. An agent that listens beyond the loopback has to be told one of three things: a token, that
/// the first `/init` brings one, or that everybody may.
///
/// @param token the token, or that there is none (yet)
/// @param initSecret guards the first `/init` that sets a token; null for none
/// @param allowedHosts names and addresses in lower case by which the agent may be called besides the loopback's
/// @param anyHost whether it may be called by any other name too, because it was not named `allowedHosts` and is meant for
///     others
/// @param warnings sentences for the log
public record AuthSettings(
    AccessToken token,
    @Nullable OneTimeSecret initSecret,
    List<String> allowedHosts,
    boolean anyHost,
    List<String> warnings) {
  static final Setting<Optional<String>> ACCESS_TOKEN =
      Setting.text("access-token")
          .check(SecretFile::fitsAHeader, SecretFile.NO_HEADER)
          .secret()
          .optional()
          .because("token that every request has to carry in X-Access-Token");

  static final Setting<Optional<Path>> ACCESS_TOKEN_FILE =
      Setting.path("access-token-file").optional().because("file with that token");

  static final Setting<Boolean> AWAIT_INIT =
      Setting.bool("await-init")
          .defaultsTo(false)
          .because(
              "without a token, refuse everything but health checks and /init until the first /init has set one");

  static final Setting<Optional<String>> INIT_SECRET =
      Setting.text("init-secret")
          .check(SecretFile::fitsAHeader, SecretFile.NO_HEADER)
          .secret()
          .optional()
          .because(
              "secret that the first /init has to carry in X-Sandpiper-Init-Secret; useless after it");

  static final Setting<Optional<Path>> INIT_SECRET_FILE =
      Setting.path("init-secret-file").optional().because("file with that secret");

  static final Setting<Boolean> ALLOW_UNAUTHENTICATED =
      Setting.bool("allow-unauthenticated")
          .defaultsTo(false)
          .because(
              "listen beyond the loopback without a token: whoever reaches the port runs commands");

  static final Setting<List<String>> ALLOWED_HOSTS =
      Setting.list("allowed-host")
          .check(
              hosts -> hosts.stream().allMatch(Authority::isPattern),
              "holds something that is no bare name or address, such as agent.internal, *.sandbox.example or 10.0.0.7")
          .defaultsTo(List.of())
          .because(
              "names by which the agent may be called without a token, besides those of the loopback; *.NAME for all below NAME");

  public AuthSettings {
    allowedHosts = List.copyOf(allowedHosts);
    warnings = List.copyOf(warnings);
  }

  /// The settings of this package.
  public static List<Setting<?>> all() {
    return List.of(
        ACCESS_TOKEN,
        ACCESS_TOKEN_FILE,
        AWAIT_INIT,
        INIT_SECRET,
        INIT_SECRET_FILE,
        ALLOW_UNAUTHENTICATED,
        ALLOWED_HOSTS);
  }

  /// Environment variables that hold a secret.
  public static List<String> secretVariables() {
    return List.of(ACCESS_TOKEN.variable(), INIT_SECRET.variable());
  }

  /// What the settings say. Reads the files, and may look up the names in `listen`.
  ///
  /// @param listen where the agent is going to listen
  public static AuthSettings from(Settings settings, List<InetSocketAddress> listen)
      throws BadSettingException {
    List<String> warnings = new ArrayList<>();
    Optional<String> token = secret(settings, ACCESS_TOKEN, ACCESS_TOKEN_FILE, warnings);
    Optional<String> initSecret = secret(settings, INIT_SECRET, INIT_SECRET_FILE, warnings);
    boolean awaitInit = settings.get(AWAIT_INIT);
    boolean everybody = settings.get(ALLOW_UNAUTHENTICATED);
    if (token.isPresent() && initSecret.isPresent()) {
      throw BadSettingException.of(
          INIT_SECRET,
          "guards the first /init that sets a token, but one is given already; leave out one of the two");
    }
    if (everybody && awaitInit) {
      throw BadSettingException.of(
          ALLOW_UNAUTHENTICATED,
          "lets everybody in, and " + AWAIT_INIT + " nobody; set one of the two to false");
    }
    if (everybody && token.isPresent()) {
      throw BadSettingException.of(
          ALLOW_UNAUTHENTICATED,
          "lets everybody in, but there is a token; leave out one of the two");
    }
    if (token.isEmpty() && !awaitInit && !everybody) {
      requireLoopback(listen);
    }
    List<String> hosts = settings.get(ALLOWED_HOSTS).stream().map(Authority::normalized).toList();
    return new AuthSettings(
        token
            .map(AccessToken::of)
            .orElseGet(() -> awaitInit ? AccessToken.awaited() : AccessToken.open()),
        initSecret.map(OneTimeSecret::new).orElse(null),
        hosts,
        hosts.isEmpty() && (awaitInit || everybody),
        warnings);
  }

  private static Optional<String> secret(
      Settings settings,
      Setting<Optional<String>> value,
      Setting<Optional<Path>> file,
      List<String> warnings)
      throws BadSettingException {
    Optional<String> given = settings.get(value);
    Optional<Path> path = settings.get(file);
    if (path.isEmpty()) {
      return given;
    }
    if (given.isPresent()) {
      throw BadSettingException.of(
          file, "is given, and so is " + value + "; leave out one of them");
    }
    return Optional.of(SecretFile.read(file.flag(), path.get(), warnings));
  }

  private static void requireLoopback(List<InetSocketAddress> listen) throws BadSettingException {
    for (InetSocketAddress address : listen) {
      InetAddress resolved = new InetSocketAddress(address.getHostString(), 0).getAddress();
      if (resolved != null && !resolved.isLoopbackAddress()) { // null: binding it fails anyway
        throw BadSettingException.of(
            ListenSettings.LISTEN,
            address.getHostString()
                + " is beyond the loopback, and nothing says who may call there. Give a token ("
                + either(ACCESS_TOKEN_FILE)
                + ", or "
                + ACCESS_TOKEN.variable()
                + "), or have the first /init bring one ("
                + either(AWAIT_INIT)
                + "=true), or let everybody who reaches the port run commands ("
                + either(ALLOW_UNAUTHENTICATED)
                + "=true)");
      }
    }
  }

  private static String either(Setting<?> setting) {
    return setting.flag() + " or " + setting.variable();
  }
}
