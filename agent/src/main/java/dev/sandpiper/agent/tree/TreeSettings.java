package dev.sandpiper.agent.tree;

import dev.sandpiper.agent.config.Setting;
import dev.sandpiper.agent.config.Settings;
import java.util.List;

/// How trees are kept together.
///
/// @param processCgroups whether each command gets a control group of its own
public record TreeSettings(boolean processCgroups) {
  static final Setting<Boolean> PROCESS_CGROUPS =
      Setting.bool("process-cgroups")
          .defaultsTo(false)
          .because(
              "whether each command gets a control group (version 2) of its own, so that nothing can hide from a kill of"
                  + " its tree; costs about 0.15 ms of each start");

  /// The settings of this package.
  public static List<Setting<?>> all() {
    return List.of(PROCESS_CGROUPS);
  }

  /// What the settings say.
  public static TreeSettings from(Settings settings) {
    return new TreeSettings(settings.get(PROCESS_CGROUPS));
  }
}
