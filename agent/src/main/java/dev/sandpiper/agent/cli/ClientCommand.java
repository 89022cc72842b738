package dev.sandpiper.agent.cli;

import java.io.IOException;

/// One of the commands that ask a running agent for something.
@FunctionalInterface
interface ClientCommand {
  /// Does it, on the main thread; returns the program's exit code.
  ///
  /// @param screen where it prints
  /// @throws ApiException the agent refused
  /// @throws IOException the agent was not reached, or nobody reads the output ([Display.OutputClosedException])
  int run(Screen screen) throws IOException, ApiException;
}
