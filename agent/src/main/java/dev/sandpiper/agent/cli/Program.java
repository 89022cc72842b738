package dev.sandpiper.agent.cli;

import dev.sandpiper.agent.config.BadSettingException;
import dev.sandpiper.agent.config.Setting;
import dev.sandpiper.agent.config.Settings;
import dev.sandpiper.proto.v1.LogQuery;
import dev.sandpiper.proto.v1.LogResponse;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;

/// What the command line is told about the program that it starts: its version, all of its settings in the order in
/// which help shows them, how to be the daemon, and how to read what one has left.
public record Program(String version, List<Setting<?>> settings, Serve serve, LeftLogs leftLogs) {
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

  /// Reads the logs of an agent that is gone.
  @FunctionalInterface
  public interface LeftLogs {
    /// Gives every entry and gap that matches to `to`, in order.
    ///
    /// @param query its id may also be a pid or a tag
    /// @throws IOException naming what cannot be read, or what of the query makes no sense
    void query(Path stateDirectory, LogQuery query, Consumer<LogResponse> to) throws IOException;
  }
}
