package dev.sandpiper.agent.process;

import dev.sandpiper.agent.journal.Journal;
import dev.sandpiper.agent.journal.JournalEntry;
import dev.sandpiper.agent.journal.JournalEntry.Started;
import dev.sandpiper.agent.launch.Child;
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
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Starts with a key that an earlier agent announced and of which the journal says no more: it was killed between the
/// announcement and the entry of the start, some tenths of a millisecond.
///
/// A process that carries the id in its environment was spawned and is taken over like any other. Where there is none, the
/// start is taken not to have happened, and the key is free: a command that was spawned in that moment and was over before
/// this agent looked is the one that can run twice.
public final class Intents {
  private static final Logger LOG = LoggerFactory.getLogger("process");

  /// Nobody's pid: then only the mark counts.
  private static final int NOBODY = -1;

  private Intents() {}

  /// The entries of a journal with every announcement settled, in the journal too. Looks at the machine's processes only if there
  /// is one.
  public static List<JournalEntry> settle(
      List<JournalEntry> entries, Journal journal, TreeSettings trees) {
    Map<String, Started> open = new LinkedHashMap<>();
    for (JournalEntry entry : entries) {
      if (entry instanceof Started started && started.isIntent()) {
        open.put(started.processId(), started);
      } else if (!(entry instanceof JournalEntry.EmitterPosition)) {
        open.remove(entry.processId());
      }
    }
    List<JournalEntry> settled = new ArrayList<>(entries.size());
    for (JournalEntry entry : entries) {
      if (!(entry instanceof Started started && started.isIntent())) {
        settled.add(entry);
      }
    }
    for (Started intent : open.values()) {
      JournalEntry outcome = settle(intent, new ProcessTrees(trees, _ -> false));
      settled.add(outcome);
      try {
        journal.append(outcome);
      } catch (IOException failure) {
        LOG.error("process {}: {}", intent.processId(), failure.getMessage());
      }
    }
    return settled;
  }

  private static JournalEntry settle(Started intent, ProcessTrees trees) {
    try {
      Optional<Started> found =
          trees.members(new TreeRoot(intent.processId(), NOBODY, 0, List.of())).stream()
              .min(Comparator.comparingLong(TreeMember::startTicks))
              .filter(member -> leadsItsGroup(member.pid()))
              .map(member -> started(intent, member));
      if (found.isPresent()) {
        LOG.info(
            "process {} (pid {}) was started just before an earlier agent stopped",
            intent.processId(),
            found.get().pid());
        return found.get();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return new JournalEntry.Deleted(intent.processId());
  }

  private static Started started(Started intent, TreeMember leader) {
    Map<String, String> facts = new HashMap<>();
    if (intent.pty()) {
      target(leader.pid(), 0).ifPresent(path -> facts.put(Child.PTY, path));
    } else {
      target(leader.pid(), 0).ifPresent(path -> facts.put(Child.FIFO_STDIN, path));
      target(leader.pid(), 1).ifPresent(path -> facts.put(Child.FIFO_STDOUT, path));
      target(leader.pid(), 2).ifPresent(path -> facts.put(Child.FIFO_STDERR, path));
      if (!facts.containsKey(Child.FIFO_STDOUT)) {
        facts.put(Child.PIPES, "anonymous");
      }
    }
    return intent.as(leader.pid(), leader.startTicks(), bootId()).with(facts);
  }

  /// What a descriptor of it is: a path, unless it is `/dev/null` or has none.
  private static Optional<String> target(int pid, int descriptor) {
    try {
      String path =
          Files.readSymbolicLink(Path.of("/proc/" + pid + "/fd/" + descriptor)).toString();
      return path.startsWith("/") && !path.equals("/dev/null") && !path.endsWith(" (deleted)")
          ? Optional.of(path)
          : Optional.empty();
    } catch (IOException _) {
      return Optional.empty(); // gone, or another user's
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

  private static String bootId() {
    try {
      return Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip();
    } catch (IOException _) {
      return ""; // then nobody is taken over by it
    }
  }
}
