package dev.sandpiper.agent.launch;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/// The children whose exits belong to somebody, as opposed to orphans that the kernel gave to the agent.
///
/// A spawn holds {@link #spawning} from before the child exists until it is listed; the orphan reaper takes the other
/// side of that lock, so every child that it sees is either listed or an orphan. Without a reaper nothing is kept.
final class ChildRegistry {
  private final boolean needed;
  private final Set<Integer> pids = ConcurrentHashMap.newKeySet();
  private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();

  ChildRegistry(boolean needed) {
    this.needed = needed;
  }

  void spawning() {
    if (needed) {
      lock.readLock().lock();
    }
  }

  /// Ends {@link #spawning}; a pid that is not positive is a spawn that failed.
  void spawned(int pid) {
    if (needed) {
      if (pid > 0) {
        pids.add(pid);
      }
      lock.readLock().unlock();
    }
  }

  /// A child that was started before this agent took the place of an earlier one.
  void adopted(int pid) {
    if (needed) {
      pids.add(pid);
    }
  }

  void remove(int pid) {
    if (needed) {
      pids.remove(pid);
    }
  }

  /// Whether the pid is a child of ours; of one that is just being spawned the answer is awaited.
  boolean isOurs(int pid) {
    return needed && unlessOurs(pid, () -> {});
  }

  /// Runs `reap` unless the pid is a child of ours; true when it was one.
  boolean unlessOurs(int pid, Runnable reap) {
    lock.writeLock().lock();
    try {
      if (pids.contains(pid)) {
        return true;
      }
      reap.run();
      return false;
    } finally {
      lock.writeLock().unlock();
    }
  }
}
