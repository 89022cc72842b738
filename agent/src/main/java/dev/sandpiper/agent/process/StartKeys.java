package dev.sandpiper.agent.process;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.journal.Bytes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The callers' keys, one process for each: the first request with a key starts it, the same request finds it, also while it is
/// being started, and another request is a conflict. A key lives as long as its process is known. Thread-safe; nobody is
/// called under the lock.
final class StartKeys {
  /// Calls that may wait for one start; beyond that they are refused.
  private static final int MOST_WAITING = 10_000;

  /// What a request with a key finds.
  sealed interface Claim {
    /// Nobody has the key: the caller is to start, and to say how that went with {@link #started} or {@link #failed}.
    record First() implements Claim {}

    /// The same request is being started; its outcome is this one's.
    record Waits() implements Claim {}

    /// The same request has made this process.
    record Existing(ManagedProcess process) implements Claim {}

    /// Refused, and why.
    record Refused(StartRefused why) implements Claim {}
  }

  private static final class Entry {
    final Bytes fingerprint;
    @Nullable ManagedProcess process;
    List<StartCallback> waiting = List.of();

    Entry(Bytes fingerprint) {
      this.fingerprint = fingerprint;
    }
  }

  @GuardedBy("this")
  private final Map<String, Entry> entries = new HashMap<>();

  synchronized Claim claim(String key, Bytes fingerprint, StartCallback callback) {
    Entry entry = entries.get(key);
    if (entry == null) {
      entries.put(key, new Entry(fingerprint));
      return new Claim.First();
    }
    if (!entry.fingerprint.equals(fingerprint)) {
      return new Claim.Refused(
          new StartRefused(
              StartRefused.Reason.KEY_CONFLICT,
              "key '%s' belongs to another start, which asked for something else%s"
                  .formatted(
                      key,
                      entry.process == null
                          ? ""
                          : " and is process " + entry.process.processId())));
    }
    if (entry.process != null) {
      return new Claim.Existing(entry.process);
    }
    if (entry.waiting.size() >= MOST_WAITING) {
      return new Claim.Refused(
          new StartRefused(
              StartRefused.Reason.RESOURCES,
              "%d calls wait for the start with key '%s' already".formatted(MOST_WAITING, key)));
    }
    if (entry.waiting.isEmpty()) {
      entry.waiting = new ArrayList<>(8);
    }
    entry.waiting.add(callback);
    return new Claim.Waits();
  }

  /// The key has its process. Returns who waits for it.
  synchronized List<StartCallback> started(String key, ManagedProcess process) {
    Entry entry = entries.get(key);
    if (entry == null) {
      return List.of();
    }
    List<StartCallback> waiting = entry.waiting;
    entry.waiting = List.of();
    entry.process = process;
    return waiting;
  }

  /// The key is free again. Returns who waits for it.
  synchronized List<StartCallback> failed(String key) {
    Entry entry = entries.remove(key);
    return entry == null ? List.of() : entry.waiting;
  }

  /// A process of an earlier agent has its key.
  synchronized void recovered(ManagedProcess process) {
    String key = process.description().key();
    if (key != null) {
      Entry entry = new Entry(process.description().fingerprint());
      entry.process = process;
      entries.put(key, entry);
    }
  }

  /// The process is known no longer.
  synchronized void forget(ManagedProcess process) {
    String key = process.description().key();
    if (key != null) {
      Entry entry = entries.get(key);
      if (entry != null && entry.process == process) {
        entries.remove(key);
      }
    }
  }
}
