package dev.sandpiper.agent.record;

import dev.sandpiper.agent.record.RecordFile.Found;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Sees to it that another agent goes on with the records where this one stops, whenever that is: with each batch it
/// keeps the batch itself and how far each process in it has come then ([RecordFile]).
///
/// Without a file (before the state directory is open, or where it cannot hold one) it does nothing. On the record
/// thread, except [#open] and [#found].
final class RecordLedger implements LineOutput.Progress {
  private static final Logger LOG = LoggerFactory.getLogger("record");

  /// Takes the ids of processes all of whose records have left, for good.
  interface Told {
    void told(List<String> processIds) throws IOException;
  }

  private static final Told NOBODY = _ -> {};

  private final List<ProcessRecords> touched = new ArrayList<>();
  // Told, but not yet told for good: their slots remember it.
  private final List<String> waitingIds = new ArrayList<>();
  private final List<Integer> waitingSlots = new ArrayList<>();
  private Map<String, Found> found = Map.of();
  private Told told = NOBODY;
  private @Nullable RecordFile file;
  private volatile boolean abandoned;
  private boolean repeats;
  private boolean staged;
  private boolean saidFull;

  /// Goes on where the file stands. Before the record thread writes for the first time.
  void open(RecordFile recordFile, Told told) {
    this.told = told;
    found = new java.util.HashMap<>(recordFile.takeFound());
    repeats = recordFile.torn();
    found.forEach((id, it) -> {
      if (it.told()) {
        waitingIds.add(id);
        waitingSlots.add(it.slot());
      }
    });
    file = recordFile;
  }

  /// What an earlier agent left of a process; null when there is nothing. Taken: the slot goes on with the caller.
  @Nullable Found found(String processId) {
    return found.remove(processId);
  }

  /// Whoever was not asked for by now is not known any more.
  void forgetRest() {
    var at = file();
    if (at != null) {
      found.values().stream().filter(it -> !it.told()).forEach(it -> at.release(it.slot()));
    }
    found = Map.of();
  }

  boolean active() {
    return file() != null;
  }

  private @Nullable RecordFile file() {
    return abandoned ? null : file;
  }

  /// From now on nothing is kept, although the record thread may be in the middle of a write. Any thread.
  void abandon() {
    abandoned = true;
  }

  /// Whether the last line of the agent before this one may be cut. From then on no more.
  boolean takeRepeats() {
    boolean was = repeats;
    repeats = false;
    return was;
  }

  /// The lines that an earlier agent may have written or not.
  byte[] pending() {
    var at = file();
    return at == null ? new byte[0] : at.pending();
  }

  /// They have left.
  void repeated() {
    var at = file();
    if (at != null) {
      at.begin();
      at.left(false);
    }
  }

  void touch(ProcessRecords process) {
    if (!process.touched && file() != null) {
      process.touched = true;
      touched.add(process);
    }
  }

  /// Whether no more fit into one batch.
  boolean full() {
    return touched.size() >= RecordFile.LISTED;
  }

  /// Keeps a batch before it leaves. Answers the bytes to write, or null when it cannot be kept.
  @Nullable ByteBuffer stage(byte[] bytes, int length) {
    var at = file();
    if (at == null) {
      return null;
    }
    try {
      list(at);
      ByteBuffer kept = at.stage(bytes, length);
      staged = kept != null;
      return kept;
    } catch (InternalError fault) {
      return giveUp(fault);
    }
  }

  private void list(RecordFile at) {
    at.begin();
    for (var process : touched) {
      at.list(process.processId(), process.position(), process.told());
    }
  }

  @Override
  public void written(int bytes) {
    var at = file();
    if (at != null && staged) {
      at.written(bytes);
    }
  }

  /// The batch has left, or is lost and counted.
  ///
  /// @param torn whether a line of it was begun and not finished
  void left(boolean torn) {
    var at = file();
    if (at == null) {
      return;
    }
    staged = false;
    try {
      at.left(torn);
      for (var process : touched) {
        keep(at, process);
      }
      touched.clear();
      tellForGood(at);
      if (!torn) {
        at.begin();
      }
    } catch (InternalError fault) {
      giveUp(fault);
    }
  }

  /// The same for what changed without a record.
  void settle() {
    var at = file();
    if (at != null && !touched.isEmpty()) {
      try {
        list(at);
      } catch (InternalError fault) {
        giveUp(fault);
      }
      left(false);
    }
  }

  private void keep(RecordFile at, ProcessRecords process) {
    process.touched = false;
    if (!process.told()) {
      process.slot = at.put(process.slot, process.processId(), process.position(), false);
      if (process.slot == RecordFile.NO_SLOT && !saidFull) {
        saidFull = true;
        LOG.warn(
            "no room to keep how far the records of process {} came, nor those of later ones: they come again, with the"
                + " same seq, if this agent does not end by itself",
            process.processId());
      }
      return;
    }
    if (process.slot != RecordFile.NO_SLOT) {
      at.put(process.slot, process.processId(), process.position(), true);
    }
    waitingIds.add(process.processId());
    waitingSlots.add(process.slot);
  }

  private void tellForGood(RecordFile at) {
    if (waitingIds.isEmpty()) {
      return;
    }
    try {
      told.told(List.copyOf(waitingIds));
    } catch (IOException _) {
      // A full disk, and the journal has said so; or the journal is closed. Tried again with the
      // next batch.
      keepWaiting(at);
      return;
    }
    for (int slot : waitingSlots) {
      at.release(slot);
    }
    waitingIds.clear();
    waitingSlots.clear();
  }

  private void keepWaiting(RecordFile at) {
    for (int i = 0; i < waitingIds.size(); i++) {
      if (waitingSlots.get(i) == RecordFile.NO_SLOT) {
        waitingSlots.set(
            i, at.put(RecordFile.NO_SLOT, waitingIds.get(i), EmitterPosition.TOLD, true));
      }
    }
  }

  /// A mapped page could not be stored to: the disk is full below us, or broken.
  private @Nullable ByteBuffer giveUp(InternalError fault) {
    file = null;
    touched.forEach(process -> process.touched = false);
    touched.clear();
    LOG.error("how far records came is no longer kept; after a crash they may come again", fault);
    return null;
  }

  /// From now on nothing is kept; another agent may have the directory.
  void close() {
    var at = file();
    file = null;
    touched.clear();
    if (at != null) {
      at.close();
    }
  }
}
