package dev.sandpiper.agent.tree;

import java.util.List;

/// A command as the root of its tree. Stands for it also when the command itself is long gone.
///
/// @param processId our own id, which every process of the tree inherits in `SANDPIPER_PROCESS_ID` unless it removes it
/// @param pid the leader's
/// @param startTicks when the leader started, field 22 of `/proc/PID/stat`; 0 where that was never known, and then only
///     the mark and the control group count
/// @param outputs paths that only this command's tree has open: its FIFOs
public record TreeRoot(String processId, int pid, long startTicks, List<String> outputs) {
  /// The variable that every command carries in its environment, with its process id. What it starts inherits it.
  public static final String VARIABLE = "SANDPIPER_PROCESS_ID";

  /// Copies the list.
  public TreeRoot {
    outputs = List.copyOf(outputs);
  }
}
