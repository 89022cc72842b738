package dev.sandpiper.agent.config;

import java.util.List;

/// The start is refused: at least one setting has a value that it cannot have.
public final class BadSettingException extends Exception {
  private static final long serialVersionUID = 1L;

  /// `problems` holds one line for each bad setting, which names it, where its value came from, and what is wrong.
  public BadSettingException(List<String> problems) {
    super(String.join("\n", problems));
  }

  /// For values that are good each by itself but not together, or that turn out to be unusable, such as a missing
  /// file: `what` follows the setting's name, as in `--tls-key: is given without --tls-cert`.
  public static BadSettingException of(Setting<?> setting, String what) {
    return new BadSettingException(List.of(setting.writtenAs() + ": " + what));
  }
}
