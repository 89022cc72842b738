package dev.sandpiper.agent.accounts;

import dev.sandpiper.agent.config.Setting;
import dev.sandpiper.agent.config.Settings;
import java.util.List;
import java.util.Optional;

/// Whom requests act as that name nobody.
///
/// @param defaultUser name of the account; empty for the agent's own
public record AccountSettings(Optional<String> defaultUser) {
  static final Setting<Optional<String>> DEFAULT_USER =
      Setting.text("default-user")
          .optional()
          .because("account that requests act as which name none, until /init names another");

  /// The settings of this package.
  public static List<Setting<?>> all() {
    return List.of(DEFAULT_USER);
  }

  /// What the settings say.
  public static AccountSettings from(Settings settings) {
    return new AccountSettings(settings.get(DEFAULT_USER));
  }
}
