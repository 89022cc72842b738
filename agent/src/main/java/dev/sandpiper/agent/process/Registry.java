package dev.sandpiper.agent.process;

import java.util.Collection;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import org.jspecify.annotations.Nullable;

/// Every process that is known, live or finished, by id; and the live ones by pid. Thread-safe; readers wait for nobody.
///
/// Its bound is that of the output store, which says when a finished one has to go.
final class Registry {
  private final ConcurrentSkipListMap<String, ManagedProcess> byId = new ConcurrentSkipListMap<>();
  private final Map<Integer, ManagedProcess> liveByPid = new ConcurrentHashMap<>();

  void addLive(ManagedProcess process) {
    byId.put(process.processId(), process);
    liveByPid.put(process.pid(), process);
  }

  void addFinished(ManagedProcess process) {
    byId.put(process.processId(), process);
  }

  /// It has ended: its pid is somebody else's from now on.
  void ended(ManagedProcess process) {
    liveByPid.remove(process.pid(), process);
  }

  @Nullable ManagedProcess remove(String processId) {
    return byId.remove(processId);
  }

  Optional<ManagedProcess> get(String processId) {
    return Optional.ofNullable(byId.get(processId));
  }

  /// Oldest first; a view that follows what happens.
  Collection<ManagedProcess> all() {
    return Collections.unmodifiableCollection(byId.values());
  }

  /// Those behind this id, which need not exist any more.
  Collection<ManagedProcess> after(String processId) {
    return Collections.unmodifiableCollection(byId.tailMap(processId, false).values());
  }

  /// A view, in no order.
  Collection<ManagedProcess> live() {
    return liveByPid.values();
  }

  Optional<ManagedProcess> findLive(Selector selector) {
    return switch (selector) {
      case Selector.ByPid(int pid) -> Optional.ofNullable(liveByPid.get(pid));
      case Selector.ByTag(String tag) -> byTag(tag);
    };
  }

  /// Of several live processes with the same tag, the one started last.
  private Optional<ManagedProcess> byTag(String tag) {
    ManagedProcess newest = null;
    for (ManagedProcess process : liveByPid.values()) {
      if (tag.equals(process.description().tag())
          && (newest == null || newest.processId().compareTo(process.processId()) < 0)) {
        newest = process;
      }
    }
    return Optional.ofNullable(newest);
  }
}
