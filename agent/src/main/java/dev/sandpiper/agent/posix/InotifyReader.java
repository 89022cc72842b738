package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/// Reads events (inotify(7)) through one piece of native memory. For one thread; serves any number of descriptors, one
/// after the other.
public final class InotifyReader implements AutoCloseable {
  /// Some 1,500 events with names of ordinary length.
  private static final int ROOM_BYTES = 64 * 1024;

  // struct inotify_event: watch, mask, cookie, length of the name with its padding of NULs, the
  // name.
  private static final int MASK = 4;
  private static final int COOKIE = 8;
  private static final int LENGTH = 12;
  private static final int NAME = 16;

  private final Arena arena = Arena.ofConfined();
  private final MemorySegment room = arena.allocate(ROOM_BYTES, 8);

  /// Hands on what waits, up to the room there is, in order. Answers how many bytes that were: zero where nothing waits,
  /// `-errno` on failure.
  public int read(int inotify, Consumer<InotifyEvent> events) {
    long read = Kernel.syscall(Abi.READ, inotify, room.address(), ROOM_BYTES);
    if (read <= 0) {
      return read == -Errno.EAGAIN || read == -Errno.EINTR ? 0 : (int) read;
    }
    int at = 0;
    while (at < read) {
      int padded = room.get(JAVA_INT, at + LENGTH);
      events.accept(
          new InotifyEvent(
              room.get(JAVA_INT, at),
              room.get(JAVA_INT, at + MASK),
              room.get(JAVA_INT, at + COOKIE),
              name(at + NAME, padded),
              NAME + padded));
      at += NAME + padded;
    }
    return (int) read;
  }

  private String name(int offset, int padded) {
    int length = 0;
    while (length < padded && room.get(JAVA_BYTE, offset + length) != 0) {
      length++;
    }
    return length == 0 ? "" : FileNames.decode(room.asSlice(offset, length).toArray(JAVA_BYTE));
  }

  @Override
  public void close() {
    arena.close();
  }
}
