package dev.sandpiper.agent.filesystem.watch;

import dev.sandpiper.agent.filesystem.Entry;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Events that wait, packed, so that a limit in bytes means what it says: a type, the length of a name in two bytes and its
/// UTF-8, some 40 bytes for most. Bound: `limit`; what does not fit is refused.
///
/// Not thread-safe.
final class EventQueue {
  private static final List<WatchEvent.Type> TYPES = List.of(WatchEvent.Type.values());
  private static final int FIRST_BYTES = 1024;
  private static final int HEAD = 3;
  private static final int WITH_ENTRY = 0x80;

  /// About what an entry takes, which is kept beside.
  private static final int ENTRY_BYTES = 512;

  private final long limit;
  private final Deque<Entry> entries = new ArrayDeque<>();
  private byte[] ring = new byte[0];
  private int first;
  private int used;
  private int count;

  EventQueue(long limit) {
    this.limit = limit;
  }

  /// False where there is no room.
  boolean add(WatchEvent event) {
    byte[] name = event.name().getBytes(StandardCharsets.UTF_8);
    int bytes = HEAD + name.length;
    boolean with = event.entry() != null;
    long others = (entries.size() + (with ? 1L : 0)) * ENTRY_BYTES;
    if (used + bytes + others > limit) {
      return false;
    }
    if (used + bytes > ring.length) {
      grow(used + bytes);
    }
    put(0, TYPES.indexOf(event.type()) | (with ? WITH_ENTRY : 0));
    put(1, name.length >>> 8); // a path has at most 4,096 bytes, escaped three times as many
    put(2, name.length);
    int at = index(used + HEAD);
    int straight = Math.min(name.length, ring.length - at);
    System.arraycopy(name, 0, ring, at, straight);
    System.arraycopy(name, straight, ring, 0, name.length - straight);
    used += bytes;
    count++;
    if (event.entry() != null) {
      entries.add(event.entry());
    }
    return true;
  }

  /// The event that has waited longest; null where none does.
  @Nullable WatchEvent poll() {
    if (count == 0) {
      return null;
    }
    int head = get(0);
    int length = get(1) << 8 | get(2);
    byte[] name = new byte[length];
    int at = index(HEAD);
    int straight = Math.min(length, ring.length - at);
    System.arraycopy(ring, at, name, 0, straight);
    System.arraycopy(ring, 0, name, straight, length - straight);
    first = index(HEAD + length);
    used -= HEAD + length;
    count--;
    if (count == 0) {
      ring = new byte[0]; // most watches are quiet most of the time
      first = 0;
    }
    Entry entry = (head & WITH_ENTRY) != 0 ? entries.remove() : null;
    return new WatchEvent(
        TYPES.get(head & ~WITH_ENTRY), new String(name, StandardCharsets.UTF_8), entry);
  }

  int size() {
    return count;
  }

  private void grow(int needed) {
    long doubled = Math.max(FIRST_BYTES, 2L * ring.length);
    byte[] larger = new byte[(int) Math.max(needed, Math.min(doubled, limit))];
    int straight = Math.min(used, ring.length - first);
    System.arraycopy(ring, first, larger, 0, straight);
    System.arraycopy(ring, 0, larger, straight, used - straight);
    ring = larger;
    first = 0;
  }

  private int index(int offset) {
    int at = first + offset;
    return at < ring.length ? at : at - ring.length;
  }

  private void put(int offset, int value) {
    ring[index(used + offset)] = (byte) value;
  }

  private int get(int offset) {
    return ring[index(offset)] & 0xFF;
  }

  void clear() {
    ring = new byte[0];
    entries.clear();
    first = 0;
    used = 0;
    count = 0;
  }
}
