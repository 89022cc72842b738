package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/// FIFOs made ahead, so that a start only takes them, and that the keeper has before anything can be written to them.
///
/// One background thread makes new ones when half are gone, gives the agent's ends of them to the keeper, and unlinks used ones in
/// batches. Of output that is the read end, of input the write end: what the keeper holds delays no end of file. Both ends of a
/// FIFO in the pool are non-blocking; whoever takes it makes the child's end blocking. Thread-safe.
final class FifoPool implements AutoCloseable {
  /// A burst of ten starts with stdin; each costs two descriptors while it waits, and every box one or two.
  static final int READY = 32;

  /// Given to the keeper together, in one message, before a start can have them.
  private static final int TOGETHER = 3;

  /// Used FIFOs that wait to be unlinked; when full, the caller unlinks.
  private static final int RETIRED = 1024;

  /// How long used FIFOs gather before the thread wakes for them: at most 50 wake-ups a second under load.
  private static final long GATHER_NANOS = 20_000_000;

  /// How long it waits after none could be made.
  private static final long REFUSED_NANOS = 1_000_000_000;

  /// 256 KiB hold about four times the default before a busy command has to wait for the pipe loop.
  private static final int PIPE_BYTES = 256 * 1024;

  private static final int[] NO_MORE = {};

  private final FifoDirectory directory;
  private final Keeper keeper;
  private final BooleanSupplier spare;
  private final Store outputs;
  private final Store inputs;
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

  /// What is ready of one kind.
  private static final class Store {
    final boolean forInput;
    final BlockingQueue<Prepared> ready;
    final int refillBelow;

    Store(boolean forInput, int ahead) {
      this.forInput = forInput;
      ready = new ArrayBlockingQueue<>(ahead);
      refillBelow = Math.max(1, ahead / 2);
    }

    boolean isLow() {
      return ready.size() < refillBelow;
    }
  }

  /// @param ahead how many FIFOs are kept ready: {@link #READY}, or fewer, at least three, where descriptors are scarce
  /// @param spare whether there are descriptors to spare for FIFOs that nobody needs yet
  FifoPool(FifoDirectory directory, Keeper keeper, int ahead, BooleanSupplier spare) {
    this.directory = directory;
    this.keeper = keeper;
    this.spare = spare;
    int starts = ahead / 3;
    outputs = new Store(false, starts);
    inputs = new Store(true, ahead - 2 * starts);
    upkeep = Thread.ofPlatform().name("fifo-upkeep").daemon().unstarted(this::keepUp);
  }

  /// Begins to make them; after the keeper has looked at what an earlier agent left.
  void start() {
    upkeep.start();
  }

  /// Two FIFOs nobody has used, for output: prepared, or made now. Where none can be made, anonymous pipes. See {@link Prepared#error}
  /// for `-EMFILE` and `-ENFILE`.
  Prepared takeForOutput(String processId) {
    return take(outputs, processId);
  }

  /// The same for input: one.
  Prepared takeForInput(String processId) {
    return take(inputs, processId);
  }

  /// A FIFO for whoever sees to its being kept.
  Prepared takeUnkept(String processId) {
    Prepared prepared = takeForInput(processId);
    if (prepared.box() == null) {
      return prepared;
    }
    keeper.remove(prepared.box());
    return new Prepared(prepared.fifos(), null, null);
  }

  private Prepared take(Store store, String processId) {
    Prepared prepared = store.ready.poll();
    if (store.isLow()) {
      wakeNow();
    }
    if (prepared == null) {
      prepared = boxed(make(store.forInput, true), store.forInput, processId);
      keeper.flush();
    } else if (prepared.unkept() != null) { // there may be room by now
      if (prepared.box() == null) {
        prepared = boxed(prepared.fifos(), store.forInput, processId);
      } else {
        keeper.add(prepared.box());
      }
      keeper.flush();
    }
    return prepared;
  }

  /// A start has failed. Not back into the pool: their owner may have been changed, and their paths told.
  void discard(Prepared prepared) {
    if (prepared.box() != null) {
      keeper.remove(prepared.box());
    }
    for (Fifo fifo : prepared.fifos()) {
      fifo.closeEnds();
      if (fifo.path() != null) {
        retire(fifo.path());
      }
    }
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

  /// FIFOs, not starts.
  int ready() {
    return 2 * outputs.ready.size() + inputs.ready.size();
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

  /// One or two, or one with the kernel's negative answer.
  private List<Fifo> make(boolean forInput, boolean fallBack) {
    Fifo first = make(fallBack);
    if (forInput || first.readFd() < 0) {
      return List.of(first);
    }
    Fifo second = make(fallBack);
    if (second.readFd() < 0) {
      remove(first);
      return List.of(second);
    }
    return List.of(first, second);
  }

  /// Not held before the next flush of the keeper.
  private Prepared boxed(List<Fifo> fifos, boolean forInput, String name) {
    Fifo first = fifos.getFirst();
    if (first.readFd() < 0) {
      return Prepared.failed(first.readFd());
    }
    int[] error = new int[1];
    Box box;
    if (forInput) {
      box = Box.of(name, first.writeFd(), "", NO_MORE, error);
    } else {
      int[] ends = {first.readFd(), fifos.getLast().readFd()};
      box = Box.of(name, -1, ChildDescriptors.PIPES, ends, error);
    }
    if (box == null) {
      return new Prepared(fifos, null, Box.refusal(error[0]));
    }
    if (forInput) {
      box.seal();
    }
    keeper.add(box);
    return new Prepared(fifos, box, null);
  }

  private Fifo make(boolean fallBack) {
    Fifo made = make();
    if (!fallBack || made.readFd() >= 0 || isShortage(made.readFd())) {
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
    if (!closed && idle && !outputs.isLow() && !inputs.isLow() && !ended.isUrgent()) {
      LockSupport.parkNanos(this, nanos);
    }
    state.set(State.WORKING);
  }

  private void refill() {
    boolean more = true;
    while (!closed && more) {
      boolean output = refill(outputs);
      more = refill(inputs) || output;
    }
  }

  /// Makes a few; says whether there is room for others.
  private boolean refill(Store store) {
    int wanted = Math.min(TOGETHER, store.ready.remainingCapacity());
    if (wanted == 0) {
      return false;
    }
    List<Prepared> made = new ArrayList<>(TOGETHER);
    boolean mayTake = true;
    while (made.size() < wanted && (mayTake = spare.getAsBoolean())) {
      List<Fifo> fifos = make(store.forInput, false);
      String path = fifos.getFirst().path();
      if (path == null) {
        mayTake = false;
        break;
      }
      made.add(boxed(fifos, store.forInput, path));
    }
    keeper.flush();
    store.ready.addAll(made); // nobody else adds
    if (!mayTake) {
      // Starts make their own, or fall back and say so; trying again at once would only spin.
      LockSupport.parkNanos(this, REFUSED_NANOS);
    }
    return mayTake && store.ready.remainingCapacity() > 0;
  }

  private void unlinkRetired() {
    Queue<String> batch = new ArrayDeque<>();
    retired.drainTo(batch);
    batch.forEach(Posix::unlink);
  }

  private static void remove(Fifo fifo) {
    fifo.closeEnds();
    if (fifo.path() != null) {
      Posix.unlink(fifo.path());
    }
  }

  private void empty(Store store) {
    for (Prepared left = store.ready.poll(); left != null; left = store.ready.poll()) {
      if (left.box() != null) {
        keeper.remove(left.box());
      }
      left.fifos().forEach(FifoPool::remove);
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
    empty(outputs);
    empty(inputs);
    unlinkRetired();
    ended.unlinkAll();
    directory.removeIfEmpty();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
