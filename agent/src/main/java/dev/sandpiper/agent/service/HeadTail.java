package dev.sandpiper.agent.service;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.google.protobuf.ByteString;
import dev.sandpiper.agent.output.Cursor;
import dev.sandpiper.agent.output.Cursor.Step;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.Position;
import dev.sandpiper.agent.output.Promise;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.proto.v1.Output;
import java.nio.ByteBuffer;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// The first and the last bytes of one stream, with the exact number of those between.
///
/// All of it when it is no more than the limit, else a half of the limit from each end. The beginning of a long output is taken
/// while it is still kept, when so much has been printed that it will be a half; everything else is read at the end.
final class HeadTail implements AutoCloseable {
  private static final int PIECE_BYTES = 64 * 1024;
  private static final int KIB = 1024;

  private final OutputLog log;
  private final StreamName stream;
  private final int limit;
  private final Semaphore heads;
  private final Cursor watch;
  private final AtomicBoolean taken = new AtomicBoolean();

  @GuardedBy("this")
  private @Nullable ByteString head;

  @GuardedBy("this")
  private int reservedKib;

  @GuardedBy("this")
  private boolean closed;

  HeadTail(OutputLog log, StreamName stream, int limit, Semaphore heads) {
    this.log = log;
    this.stream = stream;
    this.limit = limit;
    this.heads = heads;
    this.watch = log.cursor(Position.BEGINNING, Promise.BEST_EFFORT, Set.of(stream));
    watch.onWake(this::grew);
    watch(); // arms it
  }

  /// On the pipe loop: nothing but a look at a number, until it is time for the head.
  private void grew() {
    if (log.endOffset(stream) <= limit) {
      watch();
    } else if (taken.compareAndSet(false, true)) {
      Thread.startVirtualThread(this::takeHead);
    }
  }

  /// Passes over what is there, so that the next byte wakes again. Reads nothing.
  private synchronized void watch() {
    while (!closed && !taken.get()) {
      switch (watch.peek(Integer.MAX_VALUE)) {
        case Step.Data(var _, long _, int length, long _, long _) -> watch.advance(length);
        case Step.Gap _ -> watch.skipGap();
        case Step.Mark _ -> watch.skipMark();
        case Step.Idle _, Step.Drained _, Step.Stalled _ -> {
          if (log.endOffset(stream) <= limit || !taken.compareAndSet(false, true)) {
            return;
          }
          Thread.startVirtualThread(this::takeHead);
        }
      }
    }
  }

  /// What is to be had of the beginning now; where other runs have the memory for it, it is tried at the end.
  private void takeHead() {
    int kib = (limit / 2 + KIB - 1) / KIB;
    if (!heads.tryAcquire(kib)) {
      return;
    }
    synchronized (this) {
      if (closed || head != null) {
        heads.release(kib);
        return;
      }
      reservedKib += kib;
    }
    ByteString read = read(0, limit / 2, false);
    synchronized (this) {
      head = read;
    }
    watch.close(); // it has seen enough
  }

  /// What there is of the first `total` bytes.
  Output take(long total) {
    taken.set(true);
    ByteString early;
    synchronized (this) {
      early = head;
    }
    int half = limit / 2;
    ByteString first;
    ByteString last;
    if (total > limit) {
      first = early != null && early.size() == half ? early : read(0, half, false);
      last = read(total - half, half, true);
    } else {
      first = read(0, (int) total, false);
      last = read(first.size(), (int) total - first.size(), true);
    }
    return Output.newBuilder()
        .setHead(first)
        .setTail(last)
        .setOmittedBytes(total - first.size() - last.size())
        .build();
  }

  /// At most `length` bytes from an offset on.
  ///
  /// @param overGaps whether what retention has removed is passed over; otherwise it ends there
  private ByteString read(long from, int length, boolean overGaps) {
    if (length == 0) {
      return ByteString.EMPTY;
    }
    ByteString.Output bytes = ByteString.newOutput(length);
    ByteBuffer buffer = ByteBuffer.allocateDirect(Math.min(length, PIECE_BYTES));
    byte[] copy = new byte[buffer.capacity()];
    Position position =
        new Position.Offsets(
            stream == StreamName.STDOUT ? from : 0,
            stream == StreamName.STDERR ? from : 0,
            stream == StreamName.PTY ? from : 0);
    try (Cursor cursor = log.cursor(position, Promise.BEST_EFFORT, Set.of(stream))) {
      int left = length;
      while (left > 0) {
        switch (cursor.peek(Math.min(left, copy.length))) {
          case Step.Data(var _, long _, int count, long _, long _) -> {
            cursor.read(buffer.clear().limit(count));
            buffer.flip().get(copy, 0, count);
            bytes.write(copy, 0, count);
            cursor.advance(count);
            left -= count;
          }
          case Step.Gap(var _, long start, long end) -> {
            if (!overGaps) {
              return bytes.toByteString();
            }
            left -= (int) Math.min(left, end - start);
            cursor.skipGap();
          }
          case Step.Mark _, Step.Idle _, Step.Drained _, Step.Stalled _ -> left = 0;
        }
      }
    }
    return bytes.toByteString();
  }

  /// Gives the memory back: what was taken is on its way to the caller.
  @Override
  public void close() {
    int kib;
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      kib = reservedKib;
    }
    watch.close();
    heads.release(kib);
  }
}
