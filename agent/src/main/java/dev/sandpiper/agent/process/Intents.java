package dev.sandpiper.agent.process;

import dev.sandpiper.agent.journal.Journal;
import dev.sandpiper.agent.journal.JournalEntry;
import dev.sandpiper.agent.journal.JournalEntry.Started;
import dev.sandpiper.agent.launch.ProcessIdentity;
import dev.sandpiper.agent.tree.ProcessTrees;
import dev.sandpiper.agent.tree.TreeMember;
import dev.sandpiper.agent.tree.TreeRoot;
import dev.sandpiper.agent.tree.TreeSettings;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Starts with a key that an earlier agent announced and of which the journal says no more: it was killed between the
/// announcement and the entry of the start, some tenths of a millisecond.
///
/// A process that carries the id in its environment was spawned and is taken over like any other. Where there is none it may have
/// been spawned and be over: the announcement stays what it is, a process without a pid that has ended, nobody knows how; what
/// it left in its pipes is read, and its key is not free. A command that has run never runs twice.
public final class Intents {
  private static final Logger LOG = LoggerFactory.getLogger("process");

  /// Nobody's pid: then only the mark counts.
  private static final int NOBODY = -1;

  private Intents() {}

  /// The entries of a journal with every announcement settled of which the process is found, in the journal too. Looks at the
  /// machine's processes only if there is an open one.
  public static List<JournalEntry> settle(
      List<JournalEntry> entries, Journal journal, TreeSettings trees) {
    Map<String, Started> open = new LinkedHashMap<>();
    Set<String> ended = new HashSet<>();
    for (JournalEntry entry : entries) {
      if (entry instanceof JournalEntry.Ended end) {
        if (open.remove(end.processId()) != null) {
          ended.add(end.processId()); // never more than announced, and over
        }
      } else if (entry instanceof Started started && started.isIntent()) {
        open.put(started.processId(), started);
      } else if (!(entry instanceof JournalEntry.EmitterPosition)) {
        open.remove(entry.processId());
      }
    }
    List<JournalEntry> settled = new ArrayList<>(entries.size());
    for (JournalEntry entry : entries) {
      boolean over =
          entry instanceof Started started
              && started.isIntent()
              && !open.containsKey(started.processId())
              && !ended.contains(started.processId());
      if (!over) {
        settled.add(entry);
      }
    }
    for (Started intent : open.values()) {
      Started found = find(intent, new ProcessTrees(trees, _ -> false, Long.MAX_VALUE));
      if (found == null) {
        LOG.warn(
            "process {}: an earlier agent was killed while it started it, and whether it ran is not"
                + " known",
            intent.processId());
        continue;
      }
      settled.remove(intent);
      settled.add(found);
      try {
        journal.append(found);
      } catch (IOException failure) {
        LOG.error("process {}: {}", intent.processId(), failure.getMessage());
      }
    }
    return settled;
  }

  private static @Nullable Started find(Started intent, ProcessTrees trees) {
    if (!intent.bootId().equals(ProcessIdentity.thisBoot())) {
      return null;
    }
    try {
      return trees.members(new TreeRoot(intent.processId(), NOBODY, 0, List.of())).stream()
          .min(Comparator.comparingLong(TreeMember::startTicks))
          .filter(member -> leadsItsGroup(member.pid()))
          .map(leader -> intent.as(leader.pid(), leader.startTicks(), intent.bootId()))
          .orElse(null);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return null;
    }
  }

  /// The launcher makes every command the leader of its group.
  private static boolean leadsItsGroup(int pid) {
    try {
      String stat =
          Files.readString(Path.of("/proc/" + pid + "/stat"), StandardCharsets.ISO_8859_1);
      String[] behindName = stat.substring(stat.lastIndexOf(')') + 2).split(" ", 4);
      return behindName[2].equals(Integer.toString(pid)); // state, parent, group
    } catch (IOException | RuntimeException _) {
      return false; // gone
    }
  }
}
