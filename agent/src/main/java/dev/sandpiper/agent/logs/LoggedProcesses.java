package dev.sandpiper.agent.logs;

import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// All processes that are known. Any thread.
interface LoggedProcesses {
  List<LoggedProcess> all();

  @Nullable LoggedProcess get(String processId);

  /// Tells `started` of every process that starts from now on, until the answer is run. Some may be in [#all] too.
  Runnable watch(Consumer<LoggedProcess> started);
}
