package dev.sandpiper.agent.record;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/// A descriptor that takes so many bytes and then blocks, like a pipe that nobody reads, or answers with an error.
final class FakeSink implements RecordSink {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final ByteArrayOutputStream taken = new ByteArrayOutputStream();
  private long room = Long.MAX_VALUE;
  private int mostPerWrite = Integer.MAX_VALUE;
  private int errno;
  private int blocked;
  private int writes;

  @Override
  public long write(ByteBuffer direct) {
    lock.lock();
    try {
      writes++;
      while (errno == 0 && room == 0) {
        blocked++;
        changed.signalAll();
        changed.awaitUninterruptibly();
        blocked--;
      }
      if (errno != 0 && room == 0) {
        return -errno;
      }
      int count = (int) Math.min(Math.min(room, mostPerWrite), direct.remaining());
      byte[] bytes = new byte[count];
      direct.get(bytes);
      taken.writeBytes(bytes);
      room -= count;
      return count;
    } finally {
      lock.unlock();
    }
  }

  /// Takes `bytes` more, and then answers `-errno`, or blocks if that is 0.
  void take(long bytes, int errno) {
    lock.lock();
    try {
      room = bytes;
      this.errno = errno;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  void mostPerWrite(int bytes) {
    lock.lock();
    try {
      mostPerWrite = bytes;
    } finally {
      lock.unlock();
    }
  }

  boolean blocked() {
    lock.lock();
    try {
      return blocked > 0;
    } finally {
      lock.unlock();
    }
  }

  int writes() {
    lock.lock();
    try {
      return writes;
    } finally {
      lock.unlock();
    }
  }

  byte[] taken() {
    lock.lock();
    try {
      return taken.toByteArray();
    } finally {
      lock.unlock();
    }
  }
}
