package dev.sandpiper.agent.rpc;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayDeque;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/// Room in memory for request messages that are large, shared by all calls, so that many of them at once wait for one
/// another instead of filling the heap.
///
/// A call reads the first [#SMALL_BYTES] of a message as it likes. Then it needs a place of the message's whole length
/// (the limit where that is not known yet), so that whoever has a place can finish; until it gets one it stops
/// reading, which the client feels as flow control. Places are given in the order in which they were asked for. Decoding
/// takes several times a message's size for a moment, so one large message is decoded at a time. Thread-safe.
final class LargeMessages {
  /// Two pieces of body: what every call may hold beside the places.
  static final int SMALL_BYTES = 128 * 1024;

  /// From here on decoding is one at a time; it takes about 10 ms, which is what another event loop may wait.
  static final int ALONE_BYTES = 1024 * 1024;

  private final long capacity;
  private final ReentrantLock alone = new ReentrantLock();
  private final Object lock = new Object();

  @GuardedBy("lock")
  private long taken;

  /// Bound: one for each call that is open.
  @GuardedBy("lock")
  private final ArrayDeque<Place> waiting = new ArrayDeque<>();

  /// @param capacity bytes; a message cannot be larger
  LargeMessages(long capacity) {
    this.capacity = capacity;
  }

  /// What one message holds, or waits for.
  final class Place {
    private final long bytes;
    private final Runnable granted;

    private volatile boolean has; // changed under the lock

    private Place(long bytes, Runnable granted) {
      this.bytes = bytes;
      this.granted = granted;
    }

    boolean isGranted() {
      return has;
    }

    /// Gives the place back, or waits no longer. Once.
    void free() {
      synchronized (lock) {
        if (has) {
          taken -= bytes;
          has = false;
        } else {
          waiting.remove(this);
        }
      }
      grant();
    }
  }

  /// Asks for room. Where there is none now, `granted` runs later, on the thread that gave room back.
  Place ask(long bytes, Runnable granted) {
    Place place = new Place(Math.min(bytes, capacity), granted);
    synchronized (lock) {
      if (waiting.isEmpty() && taken + place.bytes <= capacity) {
        taken += place.bytes;
        place.has = true;
      } else {
        waiting.add(place);
      }
    }
    return place;
  }

  /// Whether somebody waits for room.
  boolean isWanted() {
    synchronized (lock) {
      return !waiting.isEmpty();
    }
  }

  private void grant() {
    while (true) {
      Place next;
      synchronized (lock) {
        next = waiting.peek();
        if (next == null || taken + next.bytes > capacity) {
          return;
        }
        waiting.remove();
        taken += next.bytes;
        next.has = true;
      }
      next.granted.run();
    }
  }

  /// Runs `decode`, which makes a message out of `bytes` bytes.
  <T> T decode(int bytes, Supplier<T> decode) {
    if (bytes < ALONE_BYTES) {
      return decode.get();
    }
    alone.lock();
    try {
      return decode.get();
    } finally {
      alone.unlock();
    }
  }
}
