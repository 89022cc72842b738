package dev.sandpiper.agent.cli;

import dev.sandpiper.agent.config.BadSettingException;
import dev.sandpiper.agent.config.Setting;
import dev.sandpiper.agent.config.Settings;
import java.util.List;

/// What the command line is told about the program that it starts: its version, all of its settings in the order in
/// which help shows them, and how to be the daemon.
public record Program(String version, List<Setting<?>> settings, Serve serve) {
  public Program {
    settings = List.copyOf(settings);
  }

  /// Runs the daemon until it is told to stop.
  @FunctionalInterface
  public interface Serve {
    /// Returns the program's exit code. A `BadSettingException` (values that contradict each other, or a file that
    /// cannot be used) ends the program like a value that could not be read: with its message and code 2.
    int serve(Settings settings) throws BadSettingException, Exception;
  }
}
