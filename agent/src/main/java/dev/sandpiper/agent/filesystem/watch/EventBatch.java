package dev.sandpiper.agent.filesystem.watch;

import dev.sandpiper.agent.posix.Inotify;
import dev.sandpiper.agent.posix.InotifyEvent;
import dev.sandpiper.agent.posix.InotifyReader;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Events that were read and not yet looked at, with what they say about later ones: where the queue ends, whether a
/// directory that appears is gone already, and where a renamed one went.
final class EventBatch {
  /// As many as the kernel keeps by default; beyond it they wait there.
  private static final int MOST = 16_384;

  private record Gone(int watch, String name) {}

  private final int inotify;
  private final Deque<InotifyEvent> events = new ArrayDeque<>();
  private final Map<Gone, Long> gone = new HashMap<>();
  private long taken; // bytes, since the beginning
  private long read; // bytes, since the beginning

  EventBatch(int inotify) {
    this.inotify = inotify;
  }

  /// Reads what waits. Zero where nothing did, `-errno` on failure.
  int fill(InotifyReader reader) {
    int total = 0;
    while (events.size() < MOST) {
      int bytes = reader.read(inotify, this::add);
      if (bytes <= 0) {
        return bytes < 0 ? bytes : total;
      }
      total += bytes;
    }
    return total;
  }

  private void add(InotifyEvent event) {
    if (event.has(Inotify.IN_ISDIR) && event.has(Inotify.IN_DELETE | Inotify.IN_MOVED_FROM)) {
      gone.put(new Gone(event.watch(), event.name()), read);
    }
    read += event.bytes();
    events.add(event);
  }

  @Nullable InotifyEvent peek() {
    return events.peek();
  }

  boolean isEmpty() {
    return events.isEmpty();
  }

  /// Where in all that was ever queued the next event stands.
  long position() {
    return taken;
  }

  void take() {
    InotifyEvent event = events.remove();
    if (!gone.isEmpty() && event.has(Inotify.IN_ISDIR)) {
      gone.remove(new Gone(event.watch(), event.name()), taken);
    }
    taken += event.bytes();
  }

  /// Where the event will stand that is the next to happen.
  long end() {
    return read + Math.max(0, Inotify.pending(inotify));
  }

  /// Whether a directory is known to lose its name again after the events that were taken.
  boolean goesAgain(int watch, String name) {
    return gone.containsKey(new Gone(watch, name));
  }

  /// Whether what a rename takes away arrives in this tree, as far as is known.
  boolean arrives(int cookie) {
    for (InotifyEvent event : events) {
      if (event.cookie() == cookie && event.has(Inotify.IN_MOVED_TO)) {
        return true;
      }
    }
    return false;
  }

  /// Whether an event is known that a file's content changes.
  boolean isModified(int watch, String name) {
    for (InotifyEvent event : events) {
      if (event.watch() == watch && event.has(Inotify.IN_MODIFY) && event.name().equals(name)) {
        return true;
      }
    }
    return false;
  }
}
