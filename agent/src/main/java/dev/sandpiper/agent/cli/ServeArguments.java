package dev.sandpiper.agent.cli;

import dev.sandpiper.agent.config.Setting;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Reads the arguments of `serve` without picocli, which would add a good part to the daemon's start-up.
///
/// Understands `--NAME=VALUE`, `--NAME VALUE` and, for booleans, `--NAME`; leaves to picocli whatever else there is, so
/// that every complaint and every help text has one author.
final class ServeArguments {
  private ServeArguments() {}

  /// The values by the settings' names, or empty when picocli must look.
  static Optional<Map<String, String>> parse(List<Setting<?>> settings, List<String> arguments) {
    var byFlag = new HashMap<String, Setting<?>>();
    settings.stream()
        .filter(setting -> !setting.secret())
        .forEach(setting -> byFlag.put(setting.flag(), setting));
    var values = new HashMap<String, String>();
    for (var i = 0; i < arguments.size(); i++) {
      var argument = arguments.get(i);
      var equals = argument.indexOf('=');
      var setting = byFlag.get(equals < 0 ? argument : argument.substring(0, equals));
      if (setting == null) {
        return Optional.empty();
      }
      String value;
      if (equals >= 0) {
        value = argument.substring(equals + 1);
      } else if (i + 1 < arguments.size() && !arguments.get(i + 1).startsWith("-")) {
        value = arguments.get(++i);
      } else if (setting.isSwitch()) {
        value = "true";
      } else {
        return Optional.empty();
      }
      if (values.put(setting.name(), value) != null) {
        return Optional.empty();
      }
    }
    return Optional.of(values);
  }
}
