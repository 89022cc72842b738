package dev.sandpiper.agent.tree;

import dev.sandpiper.agent.posix.Tasks;
import java.util.List;

/// What a look at `/proc` cannot show on this machine.
///
/// @param limits in words; empty where every process can be seen
/// @param blind whether nothing can be done with what is seen
record Visibility(List<String> limits, boolean blind) {
  static Visibility of(ProcFiles files) {
    if (files.error() < 0) {
      return blind("/proc cannot be read: " + ProcFiles.describe(files.error()));
    }
    ProcEntry self = files.entry(Tasks.getpid());
    if (self == null || self.startTicks() == 0) {
      return blind("/proc does not tell when processes started, so none can be told apart");
    }
    // Process 1 is the agent's or somebody else's: what hides others (hidepid, proc(5)) hides it.
    return files.entry(1) == null
        ? new Visibility(List.of("/proc hides processes of other users (hidepid)"), false)
        : new Visibility(List.of(), false);
  }

  private static Visibility blind(String why) {
    return new Visibility(List.of(why), true);
  }
}
