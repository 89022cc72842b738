package dev.sandpiper.agent.output;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/// One file of one stream: the bytes from `start` on. It only grows, and its length is the truth.
///
/// The file is open while somebody uses it: the writer, until the segment is sealed, and each reader that is inside. The last
/// one to leave closes it. A segment that retention has dropped has no name any more, but stays readable for those inside.
///
/// Its monitor is the innermost lock, and is held across open(2) and close(2) of this one file and nothing else.
final class Segment implements SegmentRef {
  private static final int OPEN_FLAGS = Fcntl.O_RDWR | Fcntl.O_CLOEXEC | Fcntl.O_NOFOLLOW;

  final StreamName stream;
  final long start;
  private final String path;

  /// Tells older from newer ones, over the streams of a log.
  private final long number;

  /// Guarded by the monitor of the log that it belongs to; written on the pipe loop only.
  long length;

  @GuardedBy("this")
  private int users;

  @GuardedBy("this")
  private int fd = -1;

  @GuardedBy("this")
  private boolean dropped;

  @GuardedBy("this")
  private @Nullable FileChannel channel;

  private Segment(StreamName stream, long start, String path, long length, long number) {
    this.number = number;
    this.stream = stream;
    this.start = start;
    this.path = path;
    this.length = length;
  }

  /// A segment that an earlier agent left.
  ///
  /// @param number tells older from newer ones of one log
  static Segment found(StreamName stream, long start, String path, long length, long number) {
    return new Segment(stream, start, path, length, number);
  }

  /// A new, empty one with the writer inside; `error[0]` is `-errno` when null.
  static @Nullable Segment create(
      StreamName stream, long start, String path, long number, int[] error) {
    int fd = Posix.open(path, OPEN_FLAGS | Fcntl.O_CREAT | Fcntl.O_EXCL, 0600);
    if (fd < 0) {
      error[0] = fd;
      return null;
    }
    Segment segment = new Segment(stream, start, path, 0, number);
    synchronized (segment) {
      segment.fd = fd;
      segment.users = 1;
    }
    return segment;
  }

  long number() {
    return number;
  }

  /// The offset behind its last byte. Under the log's monitor.
  long end() {
    return start + length;
  }

  /// Goes inside. False when the segment was dropped and is closed already: its bytes are a gap by now.
  synchronized boolean enter() {
    if (fd < 0) {
      if (dropped) {
        return false;
      }
      int opened = Posix.open(path, OPEN_FLAGS, 0);
      if (opened == -Errno.ENOENT) {
        throw new UncheckedIOException(
            new IOException("output segment " + path + " was removed by somebody else"));
      }
      if (opened < 0) {
        throw failed("open", opened);
      }
      fd = opened;
    }
    users++;
    return true;
  }

  /// Leaves.
  @Override
  public synchronized void release() {
    if (--users == 0) {
      closeNow();
    }
  }

  /// One more user, by one who is inside.
  synchronized SegmentRef share() {
    users++;
    return this;
  }

  /// Takes its name away; whoever is inside may finish.
  void drop() {
    synchronized (this) {
      dropped = true;
    }
    Posix.unlink(path);
  }

  /// The descriptor, for one who is inside.
  synchronized int fd() {
    return fd;
  }

  long read(ByteBuffer direct, long offset) {
    long count = Posix.pread(fd(), direct, offset - start);
    if (count < 0) {
      throw failed("read", count);
    }
    return count;
  }

  @Override
  public synchronized FileChannel file() {
    if (channel == null) {
      try {
        // By descriptor, as the file may have lost its name.
        channel = FileChannel.open(Path.of("/proc/self/fd/" + fd), StandardOpenOption.READ);
      } catch (IOException failure) {
        throw new UncheckedIOException("cannot open output segment " + path, failure);
      }
    }
    return channel;
  }

  @GuardedBy("this")
  private void closeNow() {
    if (channel != null) {
      try {
        channel.close();
      } catch (IOException _) {
        // Opened for reading only: there is nothing that could be lost.
      }
      channel = null;
    }
    if (fd >= 0) {
      Posix.close(fd);
      fd = -1;
    }
  }

  private UncheckedIOException failed(String what, long result) {
    return new UncheckedIOException(
        new IOException(
            "cannot %s output segment %s: %s".formatted(what, path, Errno.describe(result))));
  }

  @Override
  public String toString() {
    return path;
  }
}
