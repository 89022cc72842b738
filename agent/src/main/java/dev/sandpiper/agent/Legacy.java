package dev.sandpiper.agent;

import dev.sandpiper.agent.accounts.SandboxDefaults;
import dev.sandpiper.agent.launch.Inherited;
import dev.sandpiper.agent.posix.Tasks;
import dev.sandpiper.agent.upgrade.Handover;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/// What an agent has from the one whose place it takes; nothing, where it was started in the usual way. The names are those
/// that [Estate] writes.
final class Legacy implements Inherited {
  static final String VERSION = "version";
  static final String STOPPED_AT = "stopped-at"; // milliseconds since 1970
  static final String FAILURE = "failure";
  static final String TOKEN = "token";
  static final String USER = "user";
  static final String WORKDIR = "workdir";
  static final String VARIABLES = "variable.";
  static final String SECRETS = "environment.";
  static final String OPEN_FILES = "open-files";
  static final String LISTENERS = "listener.";
  static final String KEPT = "keeper.";

  private final @Nullable Handover handover;
  private final OptionalLong openFiles;

  /// Asks for the limit on open files, so before anybody raises it.
  Legacy(@Nullable Handover handover) {
    this.handover = handover;
    Optional<Long> handed = value(OPEN_FILES).map(Long::parseLong);
    Tasks.Limit own = handed.isPresent() ? null : Tasks.limit(0, Tasks.RLIMIT_NOFILE);
    openFiles =
        handed.isPresent()
            ? OptionalLong.of(handed.get())
            : own == null ? OptionalLong.empty() : OptionalLong.of(own.soft());
  }

  private Optional<String> value(String name) {
    return handover == null ? Optional.empty() : handover.value(name);
  }

  /// Why the agent that is about to start is not another program, as it was meant to be; empty where it is.
  Optional<String> failure() {
    return value(FAILURE);
  }

  /// The token as it was at last, be it from the environment or from `/init`.
  Optional<String> token() {
    return value(TOKEN);
  }

  /// Environment variables that were wiped, by name.
  static Map<String, String> secrets(Handover handover) {
    return handover.valuesBelow(SECRETS);
  }

  Map<String, String> secrets() {
    return handover == null ? Map.of() : secrets(handover);
  }

  /// What `/init` had set, over what the settings say.
  SandboxDefaults.Values defaults(SandboxDefaults.Values configured) {
    if (handover == null) {
      return configured;
    }
    return new SandboxDefaults.Values(
        value(USER).or(configured::user),
        value(WORKDIR).or(configured::workdir),
        handover.valuesBelow(VARIABLES));
  }

  /// In the order of the addresses.
  List<Integer> listeners() {
    return handover == null
        ? List.of()
        : List.copyOf(handover.descriptorsBelow(LISTENERS).values());
  }

  @Override
  public OptionalLong openFiles() {
    return openFiles;
  }

  /// Everything of commands is in the keeper's sockets.
  @Override
  public Map<String, Integer> of(String processId) {
    return handover == null || !processId.equals(KEEPER)
        ? Map.of()
        : handover.descriptorsBelow(KEPT);
  }

  /// Whom it replaces and how long nobody answered; empty where it replaces nobody.
  Optional<String> upgrade(Instant now) {
    return value(VERSION)
        .map(version ->
            "in the place of %s, after %d ms"
                .formatted(
                    version,
                    Duration.between(
                            Instant.ofEpochMilli(Long.parseLong(value(STOPPED_AT).orElse("0"))),
                            now)
                        .toMillis()));
  }
}
