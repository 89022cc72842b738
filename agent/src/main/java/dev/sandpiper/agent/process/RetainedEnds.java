package dev.sandpiper.agent.process;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;

/// Ends kept for callers that connect late, by pid and by tag. Bounded in number (the oldest goes first) and in time; an
/// entry leaves early when a new process takes its pid or tag. Thread-safe; nothing is called under the lock.
final class RetainedEnds {
  private record Entry(RetainedEnd end, long expiresAtNanos) {}

  private final int limit;
  private final long keepNanos;
  private final LongSupplier nanoTime;
  private final ArrayDeque<Entry> byAge = new ArrayDeque<>();
  private final Map<Integer, Entry> byPid = new HashMap<>();
  private final Map<String, Entry> byTag = new HashMap<>();

  RetainedEnds(int limit, long keepNanos, LongSupplier nanoTime) {
    this.limit = limit;
    this.keepNanos = keepNanos;
    this.nanoTime = nanoTime;
  }

  void add(RetainedEnd end) {
    add(end, 0);
  }

  /// The same for an end that was some time ago, under an earlier agent.
  synchronized void add(RetainedEnd end, long agoNanos) {
    expire();
    if (agoNanos < 0 || agoNanos >= keepNanos) {
      return; // too old, or the clock was set
    }
    Entry entry = new Entry(end, nanoTime.getAsLong() + keepNanos - agoNanos);
    byAge.addLast(entry);
    byPid.put(end.pid(), entry);
    end.tag().ifPresent(tag -> byTag.put(tag, entry));
    while (byAge.size() > limit) {
      forget(byAge.removeFirst());
    }
  }

  /// A new process has taken this pid and, perhaps, this tag.
  synchronized void taken(int pid, Optional<String> tag) {
    byPid.remove(pid);
    tag.ifPresent(byTag::remove);
    expire();
  }

  synchronized Optional<RetainedEnd> find(Selector selector) {
    expire();
    Entry entry =
        switch (selector) {
          case Selector.ByPid(int pid) -> byPid.get(pid);
          case Selector.ByTag(String tag) -> byTag.get(tag);
        };
    return Optional.ofNullable(entry).map(Entry::end);
  }

  private void expire() {
    long now = nanoTime.getAsLong();
    for (Entry oldest = byAge.peekFirst();
        oldest != null && oldest.expiresAtNanos - now <= 0;
        oldest = byAge.peekFirst()) {
      forget(byAge.removeFirst());
    }
  }

  private void forget(Entry entry) {
    byPid.remove(entry.end.pid(), entry);
    entry.end.tag().ifPresent(tag -> byTag.remove(tag, entry));
  }
}
