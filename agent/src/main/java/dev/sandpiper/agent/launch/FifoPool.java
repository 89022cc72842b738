package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/// FIFOs made ahead, so that a start only takes them.
///
/// One background thread makes new ones when half are gone, and unlinks used ones in batches. Both ends of a FIFO in the
/// pool are non-blocking; whoever takes it makes the child's end blocking. Thread-safe.
final class FifoPool implements AutoCloseable {
  /// A burst of ten starts with stdin; each costs two descriptors while it waits.
  static final int READY = 32;

  private static final int REFILL_BELOW = READY / 2;

  /// Two descriptors each, so that a refill takes at most a fourth of those that are kept.
  private static final int CHECK_SPARE_EVERY = 4;

  /// Used FIFOs that wait to be unlinked; when full, the caller unlinks.
  private static final int RETIRED = 1024;

  /// How long used FIFOs gather before the thread wakes for them: at most 50 wake-ups a second under load.
  private static final long GATHER_NANOS = 20_000_000;

  /// How long it waits after none could be made.
  private static final long REFUSED_NANOS = 1_000_000_000;

  /// 256 KiB hold about four times the default before a busy command has to wait for the pipe loop.
  private static final int PIPE_BYTES = 256 * 1024;

  /// What a refill gets while descriptors are scarce.
  private static final Fifo NONE = new Fifo(null, -Errno.EMFILE, -Errno.EMFILE);

  private final FifoDirectory directory;
  private final BooleanSupplier spare;
  private final BlockingQueue<Fifo> ready;
  private final int refillBelow;
  private final BlockingQueue<String> retired = new ArrayBlockingQueue<>(RETIRED);
  private final EndedInputs ended = new EndedInputs();
  private final AtomicLong names = new AtomicLong();
  private final AtomicReference<State> state = new AtomicReference<>(State.WORKING);
  private final Thread upkeep;
  private volatile boolean closed;

  /// What the background thread does: nothing, nothing for a moment so that work gathers, or everything there is.
  private enum State {
    ASLEEP,
    GATHERING,
    WORKING
  }

  /// `ahead` is how many are kept ready: {@link #READY}, or fewer where descriptors are scarce.
  FifoPool(FifoDirectory directory, int ahead) {
    this(directory, ahead, () -> true);
  }

  /// @param spare whether there are descriptors to spare for FIFOs that nobody needs yet
  FifoPool(FifoDirectory directory, int ahead, BooleanSupplier spare) {
    this.directory = directory;
    this.spare = spare;
    ready = new ArrayBlockingQueue<>(ahead);
    refillBelow = Math.max(1, Math.min(REFILL_BELOW, ahead / 2));
    upkeep = Thread.ofPlatform().name("fifo-upkeep").daemon().unstarted(this::keepUp);
    upkeep.start();
  }

  /// A FIFO nobody has used: prepared, or made now. Where none can be made, an anonymous pipe. A negative answer of the
  /// kernel comes back as a FIFO whose descriptors both hold it (`-EMFILE`, `-ENFILE`).
  Fifo take() {
    Fifo prepared = ready.poll();
    if (ready.size() < refillBelow) {
      wakeNow();
    }
    return prepared != null ? prepared : makeOrFallBack();
  }

  /// The FIFO has done its work: its path goes. Does not block on the file system.
  void retire(String path) {
    if (retired.offer(path)) {
      wakeLater();
    } else {
      Posix.unlink(path);
    }
  }

  /// The agent has closed this stdin FIFO, which is removed when nobody reads from it any more: see {@link EndedInputs}.
  void retireInput(String path, boolean stillRuns) {
    ended.add(path, stillRuns);
    if (stillRuns) {
      wakeNow();
    } else {
      wakeLater();
    }
  }

  int ready() {
    return ready.size();
  }

  /// Wakes the thread for something that may gather with others.
  private void wakeLater() {
    if (state.get() == State.ASLEEP && state.compareAndSet(State.ASLEEP, State.WORKING)) {
      LockSupport.unpark(upkeep);
    }
  }

  /// Wakes the thread for something that should not wait.
  private void wakeNow() {
    if (state.get() != State.WORKING && state.getAndSet(State.WORKING) != State.WORKING) {
      LockSupport.unpark(upkeep);
    }
  }

  private Fifo makeOrFallBack() {
    Fifo made = make();
    if (made.readFd() >= 0 || isShortage(made.readFd())) {
      return made;
    }
    int[] pipe = new int[2];
    int error = Posix.pipe2(pipe, Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK);
    if (error < 0) {
      return new Fifo(null, error, error);
    }
    Posix.fcntl(pipe[1], Fcntl.F_SETPIPE_SZ, PIPE_BYTES);
    return new Fifo(null, pipe[0], pipe[1]);
  }

  private static boolean isShortage(int error) {
    return error == -Errno.EMFILE || error == -Errno.ENFILE;
  }

  private Fifo make() {
    String path = directory.fifo(names.incrementAndGet());
    int made = Posix.mkfifo(path, 0600);
    if (made < 0) {
      return new Fifo(null, made, made);
    }
    int read = Posix.open(path, Fcntl.O_RDONLY | Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC, 0);
    int write =
        read < 0 ? read : Posix.open(path, Fcntl.O_WRONLY | Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC, 0);
    if (write < 0) {
      if (read >= 0) {
        Posix.close(read);
      }
      Posix.unlink(path);
      return new Fifo(null, write, write);
    }
    // Refused beyond a user's quota of pipe pages (pipe(7)); the default size works as well, only
    // with more waiting.
    Posix.fcntl(write, Fcntl.F_SETPIPE_SZ, PIPE_BYTES);
    return new Fifo(path, read, write);
  }

  private void keepUp() {
    while (!closed) {
      refill();
      unlinkRetired();
      long quiet = ended.nudge();
      boolean nothingGathers = retired.isEmpty() && !ended.hasNews();
      pause(
          nothingGathers ? State.ASLEEP : State.GATHERING,
          nothingGathers ? quiet : Math.min(quiet, GATHER_NANOS));
      if (nothingGathers) {
        pause(State.GATHERING, Math.min(quiet, GATHER_NANOS));
      }
    }
  }

  /// Does not pause at all when there is something that should not wait. What comes in after the look finds the state.
  private void pause(State kind, long nanos) {
    state.set(kind);
    boolean idle = kind == State.GATHERING || (retired.isEmpty() && !ended.hasNews());
    if (!closed && idle && ready.size() >= refillBelow && !ended.isUrgent()) {
      LockSupport.parkNanos(this, nanos);
    }
    state.set(State.WORKING);
  }

  private void refill() {
    int made = 0;
    boolean mayTake = true;
    while (!closed && ready.remainingCapacity() > 0) {
      if (made++ % CHECK_SPARE_EVERY == 0) {
        mayTake = spare.getAsBoolean();
      }
      Fifo fifo = mayTake ? make() : NONE;
      if (fifo.readFd() < 0) {
        // Starts make their own, or fall back and say so; trying again at once would only spin.
        LockSupport.parkNanos(this, REFUSED_NANOS);
        return;
      }
      if (!ready.offer(fifo)) {
        discard(fifo);
      }
    }
  }

  private void unlinkRetired() {
    Queue<String> batch = new ArrayDeque<>();
    retired.drainTo(batch);
    batch.forEach(Posix::unlink);
  }

  private static void discard(Fifo fifo) {
    fifo.closeEnds();
    if (fifo.path() != null) {
      Posix.unlink(fifo.path());
    }
  }

  /// Waits for the background thread and removes every FIFO that no process has.
  @Override
  public void close() {
    closed = true;
    LockSupport.unpark(upkeep);
    boolean interrupted = false;
    while (upkeep.isAlive()) {
      try {
        upkeep.join();
      } catch (InterruptedException again) {
        interrupted = true;
      }
    }
    for (Fifo fifo = ready.poll(); fifo != null; fifo = ready.poll()) {
      discard(fifo);
    }
    unlinkRetired();
    ended.unlinkAll();
    directory.removeIfEmpty();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
