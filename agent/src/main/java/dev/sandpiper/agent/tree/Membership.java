package dev.sandpiper.agent.tree;

import dev.sandpiper.agent.posix.Tasks;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/// Sorts one look at all processes into those that belong to a tree, those that may, and all others.
///
/// In order, because each step rests on the ones before: the leader, by pid and start time; the processes of the
/// tree's control group; those that were members in an earlier look of the same pursuit; the leader's session and group,
/// as long as its number cannot have been reused; descendants of all of these; then, with a read of the environment of
/// each process that is left, those with the mark, and again their descendants. A session or group number is proven by
/// the leader itself, a zombie counts, or by a marked process that has it: a number with members is not given away.
///
/// A mark is copied with the environment, so it may turn up in another command's tree; there the ancestor counts.
///
/// For one thread and one pursuit.
final class Membership {
  private final TreeRoot root;
  private final ProcFiles files;
  private final IntPredicate startedByAgent;
  private final int self = Tasks.getpid();
  private final boolean ours;
  private final Map<Integer, Long> earlier = new HashMap<>();
  private @Nullable String ownControlGroups;

  // Of one look.
  private NavigableMap<Integer, ProcEntry> all = new java.util.TreeMap<>();
  private final Set<Integer> members = new TreeSet<>();
  private final Map<Integer, ProcFiles.Mark> marks = new HashMap<>();
  private final Set<Integer> above = new HashSet<>();

  /// @param members who runs and belongs, by pid
  /// @param dead zombies that belong: they are over, but hold their numbers
  /// @param doubtful who runs and may belong
  record Finding(List<ProcEntry> members, List<ProcEntry> dead, List<Survivor> doubtful) {}

  /// @param startedByAgent whether the agent started this pid itself, as a command or for its own use
  /// @param orphansSince commands that started then or later orphan to the agent, and to nobody else
  Membership(TreeRoot root, ProcFiles files, IntPredicate startedByAgent, long orphansSince) {
    this.root = root;
    this.files = files;
    this.startedByAgent = startedByAgent;
    this.ours = root.startTicks() >= orphansSince;
  }

  /// What this tree may have lost sight of, in words; null for nothing.
  @Nullable String limit() {
    return ours || root.startTicks() != 0
        ? null
        : "the command ended before this agent started: only what carries its mark can be found";
  }

  /// @param grouped pids in the tree's control group
  Finding of(NavigableMap<Integer, ProcEntry> look, Collection<Integer> grouped) {
    all = look;
    members.clear();
    marks.clear();
    findAbove();
    for (ProcEntry entry : all.values()) {
      if (canBelong(entry)
          && (isLeader(entry) || grouped.contains(entry.pid()) || wasMember(entry))) {
        members.add(entry.pid());
      }
    }
    boolean proven = members.contains(root.pid()) && isLeader(all.get(root.pid()));
    if (proven) {
      addSessionAndGroup();
    }
    addDescendants();
    addMarked();
    boolean reused = all.containsKey(root.pid()) && !isLeader(all.get(root.pid()));
    if (!proven && !reused && members.stream().map(all::get).anyMatch(this::hasRootsNumber)) {
      addSessionAndGroup();
    }
    addDescendants();
    List<Survivor> doubtful = doubtful(reused);
    addDescendants(); // of those who gave themselves away by what they hold
    List<ProcEntry> running = new ArrayList<>();
    List<ProcEntry> dead = new ArrayList<>();
    for (int pid : members) {
      ProcEntry entry = all.get(pid);
      if (entry != null) {
        (entry.alive() ? running : dead).add(entry);
        earlier.put(pid, entry.startTicks());
      }
    }
    return new Finding(running, dead, doubtful);
  }

  /// The agent and whoever started it belong to no tree, whatever else is found.
  private void findAbove() {
    above.clear();
    above.add(1);
    for (ProcEntry entry = all.get(self);
        entry != null && above.add(entry.pid());
        entry = all.get(entry.parent())) {}
    above.add(self);
  }

  private boolean canBelong(ProcEntry entry) {
    return !entry.kernelThread()
        && !above.contains(entry.pid())
        && entry.startTicks() >= root.startTicks();
  }

  private boolean isLeader(@Nullable ProcEntry entry) {
    return entry != null
        && root.startTicks() != 0
        && entry.pid() == root.pid()
        && entry.startTicks() == root.startTicks();
  }

  private boolean wasMember(ProcEntry entry) {
    Long ticks = earlier.get(entry.pid());
    return ticks != null && ticks == entry.startTicks();
  }

  private boolean hasRootsNumber(@Nullable ProcEntry entry) {
    return entry != null && (entry.session() == root.pid() || entry.group() == root.pid());
  }

  private void addSessionAndGroup() {
    for (ProcEntry entry : all.values()) {
      if (hasRootsNumber(entry) && canBelong(entry)) {
        members.add(entry.pid());
      }
    }
  }

  /// Pids go round, so a child's may be below its parent's: until nothing changes.
  private void addDescendants() {
    boolean changed = true;
    while (changed) {
      changed = false;
      for (ProcEntry entry : all.values()) {
        if (members.contains(entry.parent()) && canBelong(entry)) {
          changed |= members.add(entry.pid());
        }
      }
    }
  }

  private void addMarked() {
    for (ProcEntry entry : all.values()) {
      if (!members.contains(entry.pid())
          && canBelong(entry)
          && mark(entry).is(root.processId())
          && !belongsToAnother(entry)) {
        members.add(entry.pid());
      }
    }
  }

  private ProcFiles.Mark mark(ProcEntry entry) {
    return marks.computeIfAbsent(entry.pid(), files::mark);
  }

  /// Whether the uppermost process on the way to the agent or to process 1 is marked as another command's.
  private boolean belongsToAnother(ProcEntry entry) {
    ProcEntry top = entry;
    Set<Integer> seen = new HashSet<>();
    while (seen.add(top.pid())) {
      ProcEntry parent = all.get(top.parent());
      if (parent == null || above.contains(parent.pid())) {
        break;
      }
      top = parent;
    }
    String value = mark(top).value();
    return value != null && !value.equals(root.processId());
  }

  /// Orphans that hide where they come from: not marked, started after the command, and given to the process that gets the
  /// orphans of this tree. That is the agent for what it has started itself, so nothing is overlooked and strangers are
  /// no matter; else it is whoever collects them, and those in another control group than the agent are taken for strangers.
  private List<Survivor> doubtful(boolean reused) {
    List<Survivor> doubtful = new ArrayList<>();
    for (ProcEntry entry : all.values()) {
      if (members.contains(entry.pid()) || !canBelong(entry) || !entry.alive()) {
        continue;
      }
      ProcFiles.Mark mark = mark(entry);
      boolean hasNumber = !reused && hasRootsNumber(entry);
      if (mark.value() != null || !(hasNumber || isOrphan(entry))) {
        continue;
      }
      if (files.holds(entry.pid(), root.outputs())) {
        members.add(entry.pid());
      } else if (limit() == null && !isInAnotherGroup(entry)) { // else it could be anybody
        doubtful.add(new Survivor(entry.member(), whyDoubtful(entry, mark)));
      }
    }
    return doubtful;
  }

  private boolean isOrphan(ProcEntry entry) {
    boolean orphan = entry.parent() == self || (!ours && above.contains(entry.parent()));
    return orphan && !startedByAgent.test(entry.pid());
  }

  /// Of what the agent has started itself only the group of another command counts: from there it cannot have come.
  private boolean isInAnotherGroup(ProcEntry entry) {
    String own = ownControlGroups;
    if (own == null) {
      own = files.controlGroups("self");
      ownControlGroups = own;
    }
    String its = files.controlGroups(Integer.toString(entry.pid()));
    return ours ? ControlGroups.isOfAnother(own, its, root.processId()) : !its.equals(own);
  }

  private static String whyDoubtful(ProcEntry entry, ProcFiles.Mark mark) {
    String environment =
        mark.error() < 0
            ? "its environment cannot be read: " + ProcFiles.describe(mark.error())
            : "its environment has no " + TreeRoot.VARIABLE;
    return "not signalled, because nobody can tell whether it belongs: %s, and its parent is process %d"
        .formatted(environment, entry.parent());
  }
}
