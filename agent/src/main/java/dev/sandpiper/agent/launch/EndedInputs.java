package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.LongSupplier;

/// Stdin FIFOs that the agent has closed while the process runs on.
///
/// A program that opens `/dev/stdin` again (`cat /dev/stdin`) opens the FIFO itself, and opening a FIFO for reading
/// waits until somebody has it open for writing: with a pipe it would read the rest and then end of file, here it would
/// hang for ever (fifo(7)). Opening the write end for an instant lets such a program in, and it reads what a pipe would
/// give it. Nobody can see whether one waits, so this is done again and again, at first after a millisecond, then less
/// often, until no reader is left (`ENXIO`) or the FIFO is gone (`ENOENT`). Readers that are already in notice nothing.
///
/// One entry per running process that got an end of input. All but {@link #add} belongs to one thread.
final class EndedInputs {
  private static final long FIRST_NANOS = 1_000_000;

  /// What a late opener waits at most; a round costs 5 µs for each process.
  private static final long LAST_NANOS = 200_000_000;

  private final LongSupplier clock;
  private final Queue<String> news = new ConcurrentLinkedQueue<>();
  private final List<Ended> waiting = new ArrayList<>();

  private static final class Ended {
    final String path;
    long pause = FIRST_NANOS;
    long due;

    Ended(String path, long now) {
      this.path = path;
      due = now + FIRST_NANOS;
    }
  }

  EndedInputs() {
    this(System::nanoTime);
  }

  EndedInputs(LongSupplier clock) {
    this.clock = clock;
  }

  /// From any thread.
  void add(String path) {
    news.add(path);
  }

  boolean hasNews() {
    return !news.isEmpty();
  }

  /// Opens for an instant what is due; answers after how many nanoseconds to come back.
  long nudge() {
    long now = clock.getAsLong();
    for (String path = news.poll(); path != null; path = news.poll()) {
      waiting.add(new Ended(path, now));
    }
    long next = Long.MAX_VALUE;
    for (Iterator<Ended> all = waiting.iterator(); all.hasNext(); ) {
      Ended ended = all.next();
      if (ended.due - now <= 0) {
        if (!letIn(ended.path)) {
          all.remove();
          continue;
        }
        ended.pause = Math.min(2 * ended.pause, LAST_NANOS);
        ended.due = now + ended.pause;
      }
      next = Math.min(next, ended.due - now);
    }
    return next;
  }

  private static boolean letIn(String path) {
    int fd = Posix.open(path, Fcntl.O_WRONLY | Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC, 0);
    if (fd < 0) {
      return false;
    }
    Posix.close(fd);
    return true;
  }
}
