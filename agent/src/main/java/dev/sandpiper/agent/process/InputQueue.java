package dev.sandpiper.agent.process;

import dev.sandpiper.agent.launch.Child;
import dev.sandpiper.agent.output.Cancellable;
import dev.sandpiper.agent.output.FdWatch;
import dev.sandpiper.agent.output.PipeLoop;
import dev.sandpiper.agent.posix.Errno;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/// The input of one process: writes wait here, in order, until the kernel takes them.
///
/// Bound: {@link ProcessSettings#inputQueueBytes} waiting bytes; a write that does not fit is refused whole. A write from
/// which the process takes nothing for {@link ProcessSettings#inputStallLimit} is answered with what was taken, and its
/// rest is dropped, so a command that does not read costs its writers one stall limit and nobody else anything.
/// Closing never waits: it takes effect behind the writes that are queued.
///
/// All state belongs to the pipe loop; the public methods may be called from any thread.
final class InputQueue {
  static final int COPY_BYTES = 64 * 1024; // a default pipe's worth in one system call

  private static final class Write {
    final byte[] bytes;
    final InputCallback callback;
    int taken;

    Write(byte[] bytes, InputCallback callback) {
      this.bytes = bytes;
      this.callback = callback;
    }
  }

  private final Child child;
  private final PipeLoop loop;
  private final long limitBytes;
  private final Duration stallLimit;
  private final ByteBuffer copyBuffer;
  private final ProcessCounters counters;
  private volatile boolean open;
  private boolean closed;
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
    this.closed = !open;
  }

  boolean open() {
    return open;
  }

  /// Hands bytes over. The callback runs on the pipe loop when the kernel has taken all of them, or will not.
  void write(byte[] bytes, InputCallback callback) {
    loop.execute(() -> accept(bytes, callback));
  }

  /// Takes effect behind every write that was handed over before.
  void close() {
    open = false;
    loop.execute(() -> {
      closed = true;
      closeWhenEmpty();
    });
  }

  /// The process has ended: whatever waits is answered.
  void fail(String error) {
    open = false;
    closed = true;
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

  private void accept(byte[] bytes, InputCallback callback) {
    if (closed) {
      callback.onOutcome(new InputOutcome.Closed());
      return;
    }
    // One write is always let in, however large: its bytes are in memory already, and refusing it
    // would refuse it for ever.
    if (waitingBytes > 0 && waitingBytes + bytes.length > limitBytes) {
      callback.onOutcome(new InputOutcome.QueueFull(waitingBytes, limitBytes));
      return;
    }
    if (waiting == null) {
      waiting = new ArrayDeque<>(2);
    }
    waiting.add(new Write(bytes, callback));
    waitingBytes += bytes.length;
    if (waiting.size() == 1) {
      push();
    }
  }

  /// Writes until the pipe is full or nothing waits.
  private void push() {
    boolean progress = false;
    while (waiting != null && !waiting.isEmpty()) {
      Write write = waiting.peekFirst();
      if (write.taken == write.bytes.length) {
        waiting.removeFirst();
        write.callback.onOutcome(new InputOutcome.Accepted());
        continue;
      }
      ByteBuffer copy = copyBuffer;
      int length = Math.min(copy.capacity(), write.bytes.length - write.taken);
      copy.clear().put(write.bytes, write.taken, length).flip();
      long taken = child.writeInput(copy);
      if (taken > 0) {
        write.taken += (int) taken;
        waitingBytes -= taken;
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
    waitingBytes -= write.bytes.length - write.taken;
    write.callback.onOutcome(new InputOutcome.Stalled(write.taken, write.bytes.length));
    push();
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
