package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.config.Setting;
import dev.sandpiper.agent.config.Settings;
import java.util.List;

/// Whose rights count for files, and the limits of working on them.
///
/// @param enforceUserPermissions whether requests may do what their user may, rather than what the agent may
public record FilesystemSettings(boolean enforceUserPermissions) {
  static final Setting<Boolean> ENFORCE_USER_PERMISSIONS =
      Setting.bool("enforce-user-permissions")
          .defaultsTo(false)
          .because(
              "let file requests do only what their user may, decided by the kernel; otherwise they have the agent's rights");

  /// The settings of this package.
  public static List<Setting<?>> all() {
    return List.of(ENFORCE_USER_PERMISSIONS);
  }

  /// What the settings say.
  public static FilesystemSettings from(Settings settings) {
    return new FilesystemSettings(settings.get(ENFORCE_USER_PERMISSIONS));
  }
}
