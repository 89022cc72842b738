package dev.sandpiper.agent;

import dev.sandpiper.agent.cli.Program;
import dev.sandpiper.agent.cli.SandpiperCommand;
import dev.sandpiper.agent.config.Setting;
import java.util.List;

/// The program's entry point.
public final class Main {
  private Main() {}

  static void main(String[] arguments) throws Exception {
    var program =
        new Program(
            Version.current(),
            settings(),
            _ -> {
              throw new UnsupportedOperationException("the daemon is not wired up yet");
            });
    System.exit(SandpiperCommand.execute(program, arguments));
  }

  /// Every setting of every feature, in the order in which help and documentation show them.
  static List<Setting<?>> settings() {
    return List.of();
  }
}
