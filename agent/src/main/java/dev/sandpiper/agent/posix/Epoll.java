package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// epoll(7) for one thread that waits for many descriptors to become readable, and an eventfd(2) with which others end
/// its wait.
///
/// Only {@link #wake} may be called from another thread, and not after {@link #close}. Descriptors are edge-triggered:
/// one that was told is told again when something new has come.
public final class Epoll implements AutoCloseable {
  private static final int EPOLL_CTL_ADD = 1;
  private static final int EPOLL_CTL_DEL = 2;
  private static final int EPOLLIN = 1;
  private static final int EPOLLET = 1 << 31;
  private static final int MOST = 64;

  private final Arena arena = Arena.ofConfined();
  private final MemorySegment events = arena.allocate((long) MOST * Abi.EPOLL_EVENT_BYTES, 8);
  private final int epoll;
  private final int wakeUp;
  private int count;

  private Epoll(int epoll, int wakeUp) {
    this.epoll = epoll;
    this.wakeUp = wakeUp;
  }

  /// A new one, for the calling thread.
  ///
  /// @throws IllegalStateException where the kernel refuses, with its reason
  public static Epoll open() {
    int epoll = (int) Kernel.syscall(Abi.EPOLL_CREATE1, Fcntl.O_CLOEXEC);
    if (epoll < 0) {
      throw new IllegalStateException("epoll_create1: " + Errno.describe(epoll));
    }
    int wakeUp = (int) Kernel.syscall(Abi.EVENTFD2, 0, Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK);
    if (wakeUp < 0) {
      Posix.close(epoll);
      throw new IllegalStateException("eventfd: " + Errno.describe(wakeUp));
    }
    Epoll made = new Epoll(epoll, wakeUp);
    int added = made.add(wakeUp);
    if (added < 0) {
      made.close();
      throw new IllegalStateException("epoll_ctl: " + Errno.describe(added));
    }
    return made;
  }

  /// Begins to wait for a descriptor too.
  public int add(int fd) {
    MemorySegment event = Scratch.mine().struct;
    event.set(JAVA_INT, 0, EPOLLIN | EPOLLET);
    event.set(JAVA_LONG_UNALIGNED, Abi.EPOLL_EVENT_DATA, fd);
    return (int) Kernel.syscall(Abi.EPOLL_CTL, epoll, EPOLL_CTL_ADD, fd, event.address());
  }

  /// Waits for it no more; to be called before it is closed.
  public int remove(int fd) {
    return (int) Kernel.syscall(Abi.EPOLL_CTL, epoll, EPOLL_CTL_DEL, fd, 0);
  }

  /// Waits until a descriptor is readable, {@link #wake} is called or the time is over. Answers how many {@link #ready}
  /// descriptors there are, which may be zero.
  ///
  /// @param timeoutMillis -1 for ever
  public int await(int timeoutMillis) {
    long found =
        Kernel.syscall(Abi.EPOLL_PWAIT, epoll, events.address(), MOST, timeoutMillis, 0, 0);
    if (found == -Errno.EINTR) {
      found = 0;
    }
    if (found < 0) {
      throw new IllegalStateException("epoll_pwait: " + Errno.describe(found));
    }
    count = 0;
    for (int i = 0; i < found; i++) {
      int fd = (int) events.get(JAVA_LONG_UNALIGNED, data(i));
      if (fd != wakeUp) { // its count is never read: only its growing is an edge
        events.set(JAVA_LONG_UNALIGNED, data(count++), fd);
      }
    }
    return count;
  }

  private static long data(int index) {
    return (long) index * Abi.EPOLL_EVENT_BYTES + Abi.EPOLL_EVENT_DATA;
  }

  /// One of the descriptors that {@link #await} found.
  public int ready(int index) {
    if (index >= count) {
      throw new IndexOutOfBoundsException(index);
    }
    return (int) events.get(JAVA_LONG_UNALIGNED, data(index));
  }

  /// Ends the wait of now, or the next one.
  public void wake() {
    Scratch scratch = Scratch.mine();
    scratch.struct.set(JAVA_LONG, 0, 1);
    long written = Kernel.syscall(scratch, Abi.WRITE, wakeUp, scratch.struct.address(), 8);
    if (written < 0) {
      throw new IllegalStateException("eventfd: " + Errno.describe(written));
    }
  }

  @Override
  public void close() {
    Posix.close(wakeUp);
    Posix.close(epoll);
    arena.close();
  }
}
