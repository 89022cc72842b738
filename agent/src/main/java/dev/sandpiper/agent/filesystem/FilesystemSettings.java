package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.config.Setting;
import dev.sandpiper.agent.config.Settings;
import java.time.Duration;
import java.util.List;

/// Whose rights count for files, and the limits of working on them.
///
/// @param enforceUserPermissions whether requests may do what their user may, rather than what the agent may
/// @param uploadIdleLimit how long nothing of an upload may come before it is given up
public record FilesystemSettings(boolean enforceUserPermissions, Duration uploadIdleLimit) {
  static final Setting<Boolean> ENFORCE_USER_PERMISSIONS =
      Setting.bool("enforce-user-permissions")
          .defaultsTo(false)
          .because(
              "let file requests do only what their user may, decided by the kernel; otherwise they have the agent's rights");

  static final Setting<Duration> UPLOAD_IDLE_LIMIT =
      Setting.time("upload-idle-limit")
          .between(Duration.ofMillis(100), Duration.ofHours(24))
          .defaultsTo(Duration.ofSeconds(60))
          .because("how long a client may send nothing of an upload before it is given up");

  /// The settings of this package.
  public static List<Setting<?>> all() {
    return List.of(ENFORCE_USER_PERMISSIONS, UPLOAD_IDLE_LIMIT);
  }

  /// What the settings say.
  public static FilesystemSettings from(Settings settings) {
    return new FilesystemSettings(
        settings.get(ENFORCE_USER_PERMISSIONS), settings.get(UPLOAD_IDLE_LIMIT));
  }
}
