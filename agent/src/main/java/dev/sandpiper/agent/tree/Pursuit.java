package dev.sandpiper.agent.tree;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Signals;
import dev.sandpiper.agent.posix.Tasks;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// Sends one signal to everybody in a tree, while the tree may grow.
///
/// Look, signal who is new, look again, until a look finds nobody new (for SIGKILL: nobody at all) or the time is over.
/// Against those who fork faster than anybody can look: SIGKILL goes to whole groups first, where the kernel holds off
/// forks until every member has it; and to whole control groups, where a tree has one.
///
/// A signal is sent through a pidfd that was opened first and then found to be the process that the look had seen, by
/// its start time; so it never reaches whoever got the pid since. Kernels without pidfds (before 5.3, and some
/// sandboxes) leave some microseconds between that check and kill(2).
///
/// For one thread, once.
final class Pursuit {
  /// A look costs some 10 µs a process, so those who fork are not given the time; those who die need some.
  private static final long SHORTEST_PAUSE_NANOS = 500_000;

  private static final long LONGEST_PAUSE_NANOS = 20_000_000;

  /// For an orphan of whom nobody can tell: most of them are about to end.
  private static final long DOUBT_NANOS = 300_000_000;

  /// Looks without anybody of the tree, in each of which somebody ended unseen; strangers do that too, on a busy machine.
  private static final int MOST_UNSURE = 20;

  private final ProcFiles files;
  private final Membership membership;
  private final TreeRoot root;
  private final @Nullable ControlGroup group;
  private final int signal;
  private final Duration limit;
  private final boolean privileged = Tasks.geteuid() == 0;
  private boolean struck;
  private int unsure;
  private Set<Integer> strangers = Set.of(); // of the look before
  private Set<Integer> latest = Set.of();
  private final Map<Integer, TreeMember> signalled = new TreeMap<>();
  private final List<TreeMember> overwritten = new ArrayList<>();
  private final Map<TreeMember, Integer> refused = new HashMap<>();

  Pursuit(
      ProcFiles files,
      Membership membership,
      TreeRoot root,
      @Nullable ControlGroup group,
      int signal,
      Duration limit) {
    this.files = files;
    this.membership = membership;
    this.root = root;
    this.group = group;
    this.signal = signal;
    this.limit = limit;
  }

  TreeOutcome run() {
    boolean kills = signal == Signals.SIGKILL;
    long began = System.nanoTime();
    long deadline = began + limit.toNanos();
    long pause = SHORTEST_PAUSE_NANOS;
    while (true) {
      Membership.Finding found = look();
      boolean over =
          kills
              ? found.members().stream().allMatch(this::isRefused)
              : found.members().stream().allMatch(this::isDone);
      if (over && kills && isUnsure(found)) {
        over = false;
      } else if (over && kills && !found.doubtful().isEmpty()) {
        over = System.nanoTime() - began >= DOUBT_NANOS;
      }
      Visibility seen = Visibility.of(files);
      if (over || seen.blind() || System.nanoTime() - deadline >= 0) {
        return outcome(found, limits(seen), kills);
      }
      if (kills) {
        killGroups(found);
      }
      if (signalNew(found)) {
        pause = SHORTEST_PAUSE_NANOS;
      } else {
        LockSupport.parkNanos(this, pause);
        pause = Math.min(2 * pause, LONGEST_PAUSE_NANOS);
      }
      found.members().forEach(entry -> latest.remove(entry.pid()));
      strangers = latest;
    }
  }

  /// Whether a tree that nobody was seen of may have slipped through the look: the last of it ended in the middle, and may
  /// have handed on to another before.
  private boolean isUnsure(Membership.Finding found) {
    boolean slipped = found.members().isEmpty() && !strangers.containsAll(files.missed());
    unsure = slipped ? unsure + 1 : 0;
    return slipped && unsure < MOST_UNSURE;
  }

  private List<String> limits(Visibility seen) {
    String more = membership.limit();
    if (more == null) {
      return seen.limits();
    }
    List<String> limits = new ArrayList<>(seen.limits());
    limits.add(more);
    return limits;
  }

  private Membership.Finding look() {
    Set<Integer> grouped = group == null ? Set.of() : new HashSet<>(group.pids());
    NavigableMap<Integer, ProcEntry> all =
        signal == Signals.SIGKILL ? files.all(this::strike) : files.all();
    latest = new HashSet<>(all.keySet());
    Membership.Finding found = membership.of(all, grouped);
    if (struck) { // whoever was seen in that group before has got it, and none can have come since
      found.members().stream().filter(entry -> entry.group() == root.pid()).forEach(this::note);
    }
    return found;
  }

  /// SIGKILL to the leader's group and to the control group without knowing who is in there, so that there is an end to the
  /// look.
  private void strike() {
    if (group != null) {
      List<ProcEntry> inside = new ArrayList<>(); // who dies of it is not in the look any more
      for (int pid : group.pids()) {
        ProcEntry entry = files.entry(pid);
        if (entry != null && entry.alive()) {
          inside.add(entry);
        }
      }
      if (group.kill()) {
        inside.forEach(this::note);
      }
    }
    int pidfd = root.startTicks() == 0 ? -Errno.ESRCH : Tasks.pidfdOpen(root.pid());
    if (pidfd >= 0) {
      ProcEntry now = files.entry(root.pid());
      struck =
          now != null
              && now.startTicks() == root.startTicks()
              && Tasks.pidfdSendSignal(pidfd, signal, Tasks.PIDFD_SIGNAL_PROCESS_GROUP) == 0;
      Posix.close(pidfd);
    }
  }

  private boolean isRefused(ProcEntry entry) {
    return refused.containsKey(entry.member());
  }

  private boolean isDone(ProcEntry entry) {
    return isRefused(entry) || wasSignalled(entry);
  }

  private boolean wasSignalled(ProcEntry entry) {
    TreeMember member = signalled.get(entry.pid());
    return member != null && member.startTicks() == entry.startTicks();
  }

  private void note(ProcEntry entry) {
    TreeMember before = signalled.put(entry.pid(), entry.member());
    if (before != null && before.startTicks() != entry.startTicks()) {
      overwritten.add(before); // a pid that went to another process of the same tree
    }
  }

  private void killGroups(Membership.Finding found) {
    if (group != null) {
      Set<Integer> inside = new HashSet<>(group.pids()); // before, as the dead leave it at once
      if (group.kill()) {
        found.members().stream().filter(entry -> inside.contains(entry.pid())).forEach(this::note);
      }
    }
    Set<Integer> numbers = new HashSet<>();
    found.members().stream()
        .filter(entry -> !isDone(entry))
        .forEach(entry -> numbers.add(entry.group()));
    // A group's leader holds its number, also as a zombie. Groups without one go member by member.
    List<ProcEntry> leaders = new ArrayList<>(found.members());
    leaders.addAll(found.dead());
    for (ProcEntry leader : leaders) {
      if (leader.pid() == leader.group()
          && numbers.contains(leader.pid())
          && send(leader, Tasks.PIDFD_SIGNAL_PROCESS_GROUP) == 0) {
        found.members().stream()
            .filter(entry -> entry.group() == leader.pid())
            .filter(entry -> !entry.equals(leader) || leader.alive())
            .filter(entry -> privileged || !isRefusedNow(entry))
            .forEach(this::note);
      }
    }
  }

  /// A signal to a group is a success when it has reached one of them.
  private boolean isRefusedNow(ProcEntry entry) {
    int result = send(entry, 0);
    if (result == -Errno.EPERM) {
      refused.put(entry.member(), result);
    }
    return result == -Errno.EPERM;
  }

  private boolean signalNew(Membership.Finding found) {
    boolean any = false;
    for (ProcEntry entry : found.members()) {
      if (!isDone(entry)) {
        any = true;
        int result = send(entry, 0);
        if (result == 0) {
          note(entry);
        } else if (result != -Errno.ESRCH) {
          refused.put(entry.member(), result);
        }
      }
    }
    return any;
  }

  /// 0, `-ESRCH` for somebody who is no longer there, or what the kernel says.
  private int send(ProcEntry entry, int flags) {
    int pidfd = Tasks.pidfdOpen(entry.pid());
    if (pidfd == -Errno.ESRCH) {
      return pidfd;
    }
    try {
      ProcEntry now = files.entry(entry.pid());
      if (now == null || now.startTicks() != entry.startTicks()) {
        return -Errno.ESRCH;
      }
      if (pidfd >= 0) {
        return Tasks.pidfdSendSignal(pidfd, signal, flags);
      }
      return flags == 0 ? Tasks.kill(entry.pid(), signal) : -Errno.ENOSYS;
    } finally {
      if (pidfd >= 0) {
        Posix.close(pidfd);
      }
    }
  }

  private TreeOutcome outcome(Membership.Finding found, List<String> limits, boolean kills) {
    List<Survivor> survivors = new ArrayList<>();
    for (ProcEntry entry : found.members()) {
      Integer error = refused.get(entry.member());
      if (error != null) {
        survivors.add(new Survivor(entry.member(), "the kernel refused: " + Errno.describe(error)));
      } else if (kills) {
        survivors.add(new Survivor(entry.member(), whyAlive(entry)));
      }
    }
    survivors.addAll(found.doubtful());
    List<TreeMember> reached = new ArrayList<>(signalled.values());
    reached.addAll(overwritten);
    boolean gone = found.members().isEmpty() && found.doubtful().isEmpty() && limits.isEmpty();
    return new TreeOutcome(reached, survivors, gone, limits);
  }

  private String whyAlive(ProcEntry entry) {
    if (!wasSignalled(entry)) {
      return "started after the last of the signals: the tree grew for " + seconds();
    }
    if (entry.state() == 'D') {
      return "killed, but in an uninterruptible wait of the kernel (state D) for " + seconds();
    }
    return "killed, but still there (state " + entry.state() + ") after " + seconds();
  }

  private String seconds() {
    return limit.toMillis() / 1000.0 + " s";
  }
}
