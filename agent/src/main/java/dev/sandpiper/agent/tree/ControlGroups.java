package dev.sandpiper.agent.tree;

import dev.sandpiper.agent.machine.OwnControlGroup;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Posix;
import java.util.Iterator;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The control groups of commands: `sandpiper/PROCESS_ID` below the agent's own group, where that can be written. Without
/// controllers of their own they change no limit and no account. Thread-safe.
///
/// What a group costs is paid with every start (decision record on trees), so they are made only where the setting asks
/// for them. They are found by name, so a later agent in the same place has them too.
final class ControlGroups {
  private static final Logger LOG = LoggerFactory.getLogger("tree");
  private static final String NAME = "/sandpiper";
  private static final int RWXR_XR_X = 0755;

  /// Groups that were not empty when their command ended; tried again with each end. Bounded by the machine's limit on
  /// processes, as each holds one.
  private final Set<String> lingering = ConcurrentHashMap.newKeySet();

  private final boolean wanted;
  private volatile boolean failed;

  /// Looked up by the first who asks.
  private static final class Base {
    static final @Nullable String DIRECTORY =
        OwnControlGroup.directory().map(own -> own + NAME).orElse(null);
  }

  ControlGroups(boolean wanted) {
    this.wanted = wanted;
  }

  /// Puts a process that has just been started into a group of its own. Where that cannot be done it is said once.
  void enter(String processId, int pid) {
    if (!wanted || failed) {
      return;
    }
    String base = Base.DIRECTORY;
    int result = base == null ? -Errno.ENOENT : enter(base, processId, pid);
    if (result < 0 && result != -Errno.ESRCH) { // over already
      failed = true;
      LOG.warn(
          "process-cgroups: no control group could be made for a command at {}: {}; from now on its processes are"
              + " found without",
          base == null ? "any cgroup2 mount" : base + "/" + processId,
          Errno.describe(result));
    }
  }

  private int enter(String base, String processId, int pid) {
    String directory = base + "/" + processId;
    int made = Posix.mkdir(directory, RWXR_XR_X);
    if (made == -Errno.ENOENT) {
      int first = Posix.mkdir(base, RWXR_XR_X);
      if (first < 0 && first != -Errno.EEXIST) {
        return first;
      }
      made = Posix.mkdir(directory, RWXR_XR_X);
    }
    if (made < 0) {
      return made;
    }
    ControlGroup group = new ControlGroup(directory);
    int added = group.add(pid);
    if (added < 0) {
      group.remove();
    }
    return added;
  }

  /// The group of a command; null where it has none.
  @Nullable ControlGroup find(String processId) {
    String base = Base.DIRECTORY;
    if (base == null) {
      return null;
    }
    String directory = base + "/" + processId;
    return Posix.statusError(directory) == 0 ? new ControlGroup(directory) : null;
  }

  /// Whether a process is in the group of another command.
  ///
  /// @param own `/proc/self/cgroup`
  /// @param its `/proc/PID/cgroup`
  static boolean isOfAnother(String own, String its, String processId) {
    String ownPath = unified(own);
    String path = unified(its);
    String base = (ownPath.equals("/") ? "" : ownPath) + NAME + "/";
    if (ownPath.isEmpty() || !path.startsWith(base)) {
      return false;
    }
    String id = path.substring(base.length());
    return !id.equals(processId) && !id.startsWith(processId + "/");
  }

  private static String unified(String groups) {
    return groups
        .lines()
        .filter(line -> line.startsWith("0::"))
        .map(line -> line.substring(3))
        .findFirst()
        .orElse("");
  }

  /// The command has ended; what it left behind keeps its group.
  void leave(String processId) {
    String base = Base.DIRECTORY;
    if (!wanted || base == null) {
      return;
    }
    lingering.add(processId);
    for (Iterator<String> each = lingering.iterator(); each.hasNext(); ) {
      if (new ControlGroup(base + "/" + each.next()).remove() != -Errno.EBUSY) {
        each.remove();
      }
    }
  }
}
