package dev.sandpiper.agent.process;

import dev.sandpiper.agent.journal.JournalEntry;
import dev.sandpiper.agent.journal.JournalEntry.Started;
import dev.sandpiper.agent.launch.Child;
import dev.sandpiper.agent.launch.EarlierChild;
import dev.sandpiper.agent.launch.Launcher;
import dev.sandpiper.agent.launch.ProcessIdentity;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.OutputStore;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What a new agent does with processes that have no end in the journal.
///
/// One that was started since the machine was is taken over, whether it runs or not: same id, pid, tag and time limit, its log
/// goes on where the files end, and what ended meanwhile ends now, after everything that it left in its pipes. One from before
/// the machine's start is over, and nobody knows how.
final class Adoption {
  private static final Logger LOG = LoggerFactory.getLogger("process");

  private final ProcessManager processes;
  private final Launcher launcher;
  private final OutputStore store;
  private int adopted;

  Adoption(ProcessManager processes, Launcher launcher, OutputStore store) {
    this.processes = processes;
    this.launcher = launcher;
    this.store = store;
  }

  /// What of a journal's content may still run, in the order of the starts.
  static Collection<EarlierChild> candidates(List<JournalEntry> entries) {
    Map<String, EarlierChild> candidates = new LinkedHashMap<>();
    for (JournalEntry entry : entries) {
      switch (entry) {
        case Started started when identity(started).isOfThisBoot() ->
            candidates.put(started.processId(), earlier(started));
        case Started _, JournalEntry.EmitterPosition _ -> {}
        case JournalEntry.Ended ended -> candidates.remove(ended.processId());
        case JournalEntry.Deleted deleted -> candidates.remove(deleted.processId());
      }
    }
    return candidates.values();
  }

  private static ProcessIdentity identity(Started started) {
    return new ProcessIdentity(started.pid(), started.startTicks(), started.bootId());
  }

  static EarlierChild earlier(Started started) {
    return new EarlierChild(started.processId(), identity(started), started.pty(), started.facts());
  }

  /// Called for each of them, before [OutputStore#recoverRest].
  void adopt(Recovery.Unended unended) {
    Started started = unended.started();
    if (!identity(started).isOfThisBoot()) {
      processes.lost(unended, "the machine was started anew");
      return;
    }
    Child child = launcher.adopt(earlier(started));
    OutputLog log = store.adopt(started.processId(), ProcessManager.streamsOf(started));
    Map<String, String> facts = child.facts();
    String lost = facts.get(Child.LOST);
    if (lost != null) {
      LOG.warn("process {} (pid {}): lost: {}", started.processId(), started.pid(), lost);
    }
    processes.takeOver(
        lost == null ? started : started.with(facts), child, log, unended.position());
    adopted++;
  }

  int adopted() {
    return adopted;
  }
}
