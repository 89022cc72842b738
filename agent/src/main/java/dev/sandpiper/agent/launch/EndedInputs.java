package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.LongSupplier;

/// Stdin FIFOs that the agent has closed while somebody may still read from them.
///
/// A program that opens `/dev/stdin` again (`cat /dev/stdin`) opens the FIFO itself, and opening a FIFO for reading
/// waits until somebody has it open for writing: with a pipe it would read the rest and then end of file, here it would
/// hang for ever (fifo(7)). Opening the write end for an instant lets such a program in, and it reads what a pipe would
/// give it. Nobody can see whether one waits, so this is done again and again, at first after a millisecond, then less
/// often. Readers that are already in notice nothing. When the last reader is gone (`ENXIO`), the FIFO is unlinked.
///
/// One entry per process that got an end of input and has not closed it, a background child's included. {@link #add} and
/// {@link #isUrgent} may be called from any thread, the rest belongs to one.
final class EndedInputs {
  private static final long FIRST_NANOS = 1_000_000;

  /// What a late opener waits at most; a round costs 5 µs for each process.
  private static final long LAST_NANOS = 200_000_000;

  private final LongSupplier clock;
  private final Queue<String> news = new ConcurrentLinkedQueue<>();
  private final Map<String, Ended> waiting = new LinkedHashMap<>();
  private volatile boolean urgent;

  private static final class Ended {
    long pause = FIRST_NANOS;
    long due;

    Ended(long now) {
      due = now;
    }
  }

  EndedInputs() {
    this(System::nanoTime);
  }

  EndedInputs(LongSupplier clock) {
    this.clock = clock;
  }

  /// @param stillRuns whether a program is likely to come, so that this should not wait for other work
  void add(String path, boolean stillRuns) {
    news.add(path);
    if (stillRuns) {
      urgent = true;
    }
  }

  boolean isUrgent() {
    return urgent;
  }

  boolean hasNews() {
    return !news.isEmpty();
  }

  /// Opens for an instant what is due; answers after how many nanoseconds to come back.
  long nudge() {
    urgent = false;
    long now = clock.getAsLong();
    for (String path = news.poll(); path != null; path = news.poll()) {
      waiting.putIfAbsent(path, new Ended(now));
    }
    long next = Long.MAX_VALUE;
    for (Iterator<Map.Entry<String, Ended>> all = waiting.entrySet().iterator(); all.hasNext(); ) {
      Map.Entry<String, Ended> entry = all.next();
      Ended ended = entry.getValue();
      if (ended.due - now <= 0) {
        if (!letIn(entry.getKey())) {
          Posix.unlink(entry.getKey());
          all.remove();
          continue;
        }
        ended.due = now + ended.pause;
        ended.pause = Math.min(2 * ended.pause, LAST_NANOS);
      }
      next = Math.min(next, ended.due - now);
    }
    return next;
  }

  /// False when nobody has the FIFO open for reading, or it is gone.
  private static boolean letIn(String path) {
    int fd = Posix.open(path, Fcntl.O_WRONLY | Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC, 0);
    if (fd < 0) {
      return false;
    }
    Posix.close(fd);
    return true;
  }

  /// Unlinks what is left; programs that wait in an open stay there.
  void unlinkAll() {
    waiting.keySet().forEach(Posix::unlink);
    news.forEach(Posix::unlink);
  }
}
