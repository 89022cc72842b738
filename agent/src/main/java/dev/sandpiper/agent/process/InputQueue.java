package dev.sandpiper.agent.process;

import dev.sandpiper.agent.launch.Child;
import dev.sandpiper.agent.output.Cancellable;
import dev.sandpiper.agent.output.FdWatch;
import dev.sandpiper.agent.output.PipeLoop;
import dev.sandpiper.agent.posix.Errno;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/// The input of one process: writes wait here, in order, until the kernel takes them.
///
/// Bound: {@link ProcessSettings#inputQueueBytes} waiting bytes; a write that does not fit is refused whole. A write from
/// which the process takes nothing for {@link ProcessSettings#inputStallLimit} is answered with what was taken, and its
/// rest is dropped, so a command that does not read costs its writers one stall limit and nobody else anything.
/// Closing never waits: it takes effect behind the writes that are queued.
///
/// Every byte has an offset, counted from the first that this process was ever sent, whoever sent it and how. A write may say
/// where it belongs ({@link #writeAt}): what of it was written before is passed over, and a hole is refused, also one that
/// comes about because a write in front was dropped. From the first such write on all input passes through an {@link
/// InputFile}, so that the count outlives the agent; before, and where that cannot be, it is as good as this object.
///
/// All state belongs to the pipe loop; the public methods may be called from any thread.
final class InputQueue {
  static final int COPY_BYTES = 64 * 1024; // a default pipe's worth in one system call

  /// Keys of {@link #facts}.
  private static final String COUNT = "input";

  private static final String IN_DOUBT = "input_in_doubt";

  private static final long ANYWHERE = -1;

  private static final class Write {
    final byte[] bytes;
    final InputCallback callback;

    /// How much input has to be written before it is its turn; {@link #ANYWHERE} where that does not matter.
    final long at;

    /// The input ends behind it.
    final boolean end;

    int taken;

    Write(byte[] bytes, int taken, long at, boolean end, InputCallback callback) {
      this.bytes = bytes;
      this.taken = taken;
      this.at = at;
      this.end = end;
      this.callback = callback;
    }

    int left() {
      return bytes.length - taken;
    }
  }

  private final Child child;
  private final PipeLoop loop;
  private final long limitBytes;
  private final Duration stallLimit;
  private final ByteBuffer copyBuffer;
  private final ProcessCounters counters;
  private volatile boolean open;
  private volatile long accepted;
  private volatile Map<String, String> facts = Map.of();

  /// It could be written to once.
  private boolean enabled;

  private boolean closed;

  /// Not only by a write that has not had its turn.
  private boolean closeAsked;

  /// Why the process takes nothing any more.
  private @Nullable String failure;

  private boolean fileTried;
  private @Nullable InputFile file;
  private boolean inexactTold;
  private @Nullable ArrayDeque<Write> waiting;
  private long waitingBytes;
  private @Nullable FdWatch writable;
  private @Nullable Cancellable stall;

  /// @param copyBuffer direct, of {@link #COPY_BYTES}; one serves all queues, since only the pipe loop touches it
  InputQueue(
      Child child,
      PipeLoop loop,
      ProcessSettings settings,
      ByteBuffer copyBuffer,
      ProcessCounters counters) {
    this.child = child;
    this.copyBuffer = copyBuffer;
    this.counters = counters;
    this.loop = loop;
    this.limitBytes = settings.inputQueueBytes();
    this.stallLimit = settings.inputStallLimit();
    this.open = child.inputFd() >= 0;
    this.enabled = open;
    this.closed = !open;
  }

  /// Goes on where an earlier agent was. Before anybody else has this object; what it gives to the keeper goes there with the next
  /// flush.
  void recover() {
    InputFile found = InputFile.recover(child).orElse(null);
    if (found == null) {
      if (open) {
        facts = Map.of(COUNT, "counted from the takeover by this agent on");
      }
      return;
    }
    fileTried = true;
    enabled = true;
    file = found;
    accepted = found.position();
    tellFacts(found);
  }

  boolean open() {
    return open;
  }

  /// How much input the kernel has taken.
  long accepted() {
    return accepted;
  }

  /// What is unusual about this input.
  Map<String, String> facts() {
    return facts;
  }

  /// Hands bytes over. The callback runs on the pipe loop when the kernel has taken all of them, or will not.
  void write(byte[] bytes, InputCallback callback) {
    loop.execute(() -> accept(bytes, callback));
  }

  /// The same for bytes that belong at an offset, or, without one, behind all that was written before. With `end` the input ends
  /// behind them.
  void writeAt(OptionalLong offset, byte[] bytes, boolean end, InputCallback callback) {
    loop.execute(() -> acceptAt(offset, bytes, end, callback));
  }

  /// Takes effect behind every write that was handed over before.
  void close() {
    open = false;
    loop.execute(() -> {
      closed = true;
      closeAsked = true;
      closeWhenEmpty();
    });
  }

  /// The process takes no more: whatever waits is answered.
  private void fail(String error) {
    open = false;
    closed = true;
    closeAsked = true;
    failure = error;
    stopWatching();
    ArrayDeque<Write> writes = waiting;
    waiting = null;
    waitingBytes = 0;
    if (writes != null) {
      for (Write write : writes) {
        write.callback.onOutcome(new InputOutcome.Failed(write.taken, error));
      }
    }
    child.closeInput();
  }

  /// The process has ended: whatever waits is answered, and nothing is kept.
  void dispose() {
    fail("the process has ended");
    if (file != null) {
      file.remove();
      file = null;
    }
  }

  private void accept(byte[] bytes, InputCallback callback) {
    if (closed) {
      callback.onOutcome(new InputOutcome.Closed());
    } else {
      enqueue(new Write(bytes, 0, ANYWHERE, false, callback));
    }
  }

  private void acceptAt(OptionalLong offset, byte[] bytes, boolean end, InputCallback callback) {
    if (!enabled) {
      callback.onOutcome(new InputOutcome.Closed());
      return;
    }
    long written = accepted + waitingBytes;
    long from = offset.orElse(written);
    long to = from + bytes.length;
    InputFile.Doubt doubt = file == null ? null : file.doubt();
    InputOutcome refused = null;
    if (offset.isPresent() && doubt != null && from < doubt.to() && to > doubt.from()) {
      refused = new InputOutcome.InDoubt(doubt.from(), doubt.to());
    } else if (from > written) {
      refused = new InputOutcome.Hole(from, accepted);
    } else if (to > written && failure != null) {
      refused = new InputOutcome.Failed(0, failure);
    } else if ((closed && to > written) || (end && to < written)) {
      refused = new InputOutcome.EndsElsewhere(written);
    }
    if (refused != null) {
      callback.onOutcome(refused);
      return;
    }
    if (to <= accepted && !end) {
      callback.onOutcome(new InputOutcome.Accepted(accepted, ended()));
      return;
    }
    if (!closed && !fileTried) {
      passThroughFile();
    }
    int known = (int) Math.min(written - from, bytes.length);
    boolean ends = end && !closed;
    Write write = new Write(bytes, known, from + known, ends, callback);
    if (ends && fits(write)) {
      closed = true;
      open = false;
    }
    enqueue(write);
  }

  private void passThroughFile() {
    fileTried = true;
    String[] why = {""};
    file = InputFile.create(child, accepted, why);
    if (file == null) {
      facts = Map.of(COUNT, why[0]);
    }
  }

  private boolean ended() {
    return closed && waitingBytes == 0;
  }

  /// One write is always let in, however large: its bytes are in memory already, and refusing it would refuse it for ever.
  private boolean fits(Write write) {
    return write.left() == 0 || waitingBytes == 0 || waitingBytes + write.left() <= limitBytes;
  }

  private void enqueue(Write write) {
    if (!fits(write)) {
      write.callback.onOutcome(new InputOutcome.QueueFull(waitingBytes, limitBytes));
      return;
    }
    if (waiting == null) {
      waiting = new ArrayDeque<>(2);
    }
    waiting.add(write);
    waitingBytes += write.left();
    if (waiting.size() == 1) {
      push();
    }
  }

  /// Writes until the pipe is full or nothing waits.
  private void push() {
    boolean progress = false;
    while (waiting != null && !waiting.isEmpty()) {
      Write write = waiting.peekFirst();
      if (write.left() == 0) {
        waiting.removeFirst();
        if (write.end) {
          stopWatching();
          child.closeInput();
        }
        write.callback.onOutcome(
            write.at == ANYWHERE
                ? new InputOutcome.Accepted(accepted, false)
                : new InputOutcome.Accepted(accepted, ended()));
        continue;
      }
      ByteBuffer copy = copyBuffer;
      int length = Math.min(copy.capacity(), write.left());
      copy.clear().put(write.bytes, write.taken, length).flip();
      long taken = file == null ? child.writeInput(copy) : throughFile(file, copy);
      if (taken > 0) {
        write.taken += (int) taken;
        waitingBytes -= taken;
        long before = accepted;
        accepted = before + taken;
        counters.input(taken);
        progress = true;
      } else if (taken == -Errno.EAGAIN || taken == 0) {
        await(progress);
        return;
      } else if (taken != -Errno.EINTR) {
        fail(Errno.message((int) -taken));
        return;
      }
    }
    stopWatching();
    closeWhenEmpty();
  }

  private long throughFile(InputFile through, ByteBuffer copy) {
    long taken = through.write(copy, accepted);
    if (!inexactTold && through.inexact() != null) {
      inexactTold = true;
      tellFacts(through);
    }
    return taken;
  }

  private void tellFacts(InputFile of) {
    InputFile.Doubt doubt = of.doubt();
    String inexact = of.inexact();
    Map<String, String> told = new HashMap<>(2);
    if (inexact != null) {
      told.put(COUNT, inexact);
    }
    if (doubt != null) {
      told.put(IN_DOUBT, doubt.from() + " to " + doubt.to());
    }
    facts = Map.copyOf(told);
  }

  private void await(boolean progress) {
    if (writable == null) {
      writable = loop.watchWritable(child.inputFd(), this::push);
    }
    if (progress || stall == null) {
      if (stall != null) {
        stall.cancel();
      }
      stall = loop.schedule(this::stalled, stallLimit);
    }
  }

  private void stalled() {
    stall = null;
    ArrayDeque<Write> writes = waiting;
    if (writes == null || writes.isEmpty()) {
      return;
    }
    Write write = writes.removeFirst();
    dropped(write);
    if (file != null) {
      file.unstage(accepted);
    }
    write.callback.onOutcome(new InputOutcome.Stalled(write.taken, write.bytes.length));
    refuseHoles(writes);
    push();
  }

  /// Those behind what was dropped that belong at an offset which is not reached any more.
  private void refuseHoles(ArrayDeque<Write> writes) {
    long written = accepted;
    for (Iterator<Write> all = writes.iterator(); all.hasNext(); ) {
      Write write = all.next();
      if (write.at > written) {
        all.remove();
        dropped(write);
        write.callback.onOutcome(new InputOutcome.Hole(write.at, accepted));
      } else {
        written += write.left();
      }
    }
  }

  private void dropped(Write write) {
    waitingBytes -= write.left();
    if (write.end && !closeAsked) {
      closed = false;
      open = true;
    }
  }

  private void closeWhenEmpty() {
    if (closed && (waiting == null || waiting.isEmpty())) {
      stopWatching();
      child.closeInput();
    }
  }

  private void stopWatching() {
    if (stall != null) {
      stall.cancel();
      stall = null;
    }
    if (writable != null) {
      writable.close();
      writable = null;
    }
  }
}
