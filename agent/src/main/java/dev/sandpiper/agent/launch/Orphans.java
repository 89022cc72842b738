package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.posix.Tasks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Makes the agent the parent of whatever its commands orphan (`PR_SET_CHILD_SUBREAPER`, prctl(2)).
///
/// So no descendant of a command gets away unseen: each is below its command, or a child of the agent. It lasts for as long as
/// this process does, also through an execve(2); what an earlier process has started is beyond it.
final class Orphans {
  /// Orphans go to process 1 or to another collector.
  static final long NEVER = Long.MAX_VALUE;

  private Orphans() {}

  /// Collects them from now on. Answers since when: what was started at this time or later, in the unit of field 22 of
  /// `/proc/PID/stat`, orphans nobody to anywhere else. {@link #NEVER} where the kernel refuses or tells no time.
  static long collect() {
    if (Tasks.getpid() == 1) {
      return 0; // nobody else is there to get them, and nobody outlives it
    }
    if (Tasks.isSubreaper()) { // the agent before this one was, in the same process
      long own = ProcStat.startTicks(Tasks.getpid());
      return own > 0 ? own : NEVER;
    }
    long now = ticks(); // before the call, so that the call is made whatever this says
    boolean done = Tasks.prctl(Tasks.PR_SET_CHILD_SUBREAPER, 1) == 0;
    return done && now > 0 ? now : NEVER;
  }

  /// The first number of `/proc/uptime` has two decimals, which are ticks (USER_HZ is 100 everywhere).
  private static long ticks() {
    try {
      String text = Files.readString(Path.of("/proc/uptime"));
      return Long.parseLong(text.substring(0, text.indexOf(' ')).replace(".", ""));
    } catch (IOException | RuntimeException unknown) {
      return 0;
    }
  }
}
