package dev.sandpiper.agent.http;

import io.netty.buffer.ByteBuf;
import java.io.EOFException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/// Part of a file on its way to a peer that cannot be sent it by `sendfile`: read in steps, as the peer takes them, while
/// what was written behind it waits.
final class FileSteps {
  private static final int STEP_BYTES = 64 * 1024;

  private final FileChannel file;
  private final long end;
  private final Runnable release;
  private long position;

  /// What was written behind the file, in order. Unbounded like every write of an exchange: `isWritable` is false.
  private final ArrayDeque<Runnable> behind = new ArrayDeque<>();

  FileSteps(FileChannel file, long position, long count, Runnable release) {
    this.file = file;
    this.position = position;
    this.end = position + count;
    this.release = release;
  }

  void addBehind(Runnable write) {
    behind.add(write);
  }

  ArrayDeque<Runnable> behind() {
    return behind;
  }

  boolean isDone() {
    return position >= end;
  }

  void release() {
    release.run();
  }

  /// The next step, or null at the end.
  ///
  /// @throws EOFException if the file is shorter than was promised
  @Nullable ByteBuf next(HttpExchange exchange) throws IOException {
    if (isDone()) {
      return null;
    }
    int wanted = (int) Math.min(STEP_BYTES, end - position);
    ByteBuf buffer = exchange.newBuffer(wanted);
    try {
      int read = buffer.writeBytes(file, position, wanted);
      if (read <= 0) {
        throw new EOFException(
            "the file ended at " + position + ", " + (end - position) + " bytes early");
      }
      position += read;
      return buffer;
    } catch (Throwable e) {
      buffer.release();
      throw e;
    }
  }
}
