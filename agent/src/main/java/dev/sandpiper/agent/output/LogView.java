package dev.sandpiper.agent.output;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// Access to a log from anywhere, in both directions: bytes by stream and offset, and when they were printed. It promises
/// nothing and holds nobody: what retention removes is gone for it.
///
/// One thread at a time. It is inside at most one segment of each stream, until it is closed.
public final class LogView implements AutoCloseable {
  private final OutputLog log;
  private final @Nullable Segment[] inside = new @Nullable Segment[StreamName.COUNT];

  LogView(OutputLog log) {
    this.log = log;
  }

  /// Reads bytes from `offset` on, from the buffer's position as far as there is room and the segment goes. Returns how many; 0
  /// behind the last byte, -1 where retention has removed `offset`.
  ///
  /// @throws java.io.UncheckedIOException when the segment cannot be read, naming its file
  public int read(StreamName name, long offset, ByteBuffer direct) {
    int wanted;
    Segment segment;
    while (true) {
      synchronized (log) {
        StreamLog stream = log.stream(name);
        if (offset < stream.start) {
          return -1;
        }
        if (offset >= stream.end) {
          return 0;
        }
        segment = stream.at(offset);
        wanted = (int) Math.min(direct.remaining(), segment.end() - offset);
      }
      if (enter(name, segment)) {
        break;
      }
    }
    int limit = direct.limit();
    direct.limit(direct.position() + wanted);
    try {
      for (long at = offset; direct.hasRemaining(); ) {
        long count = segment.read(direct, at);
        if (count == 0) {
          throw new IllegalStateException(
              "output segment %s is shorter than its index says".formatted(segment));
        }
        at += count;
      }
    } finally {
      direct.limit(limit);
    }
    return wanted;
  }

  private boolean enter(StreamName name, Segment segment) {
    Segment before = inside[name.number];
    if (before == segment) {
      return true;
    }
    if (!segment.enter()) {
      return false;
    }
    inside[name.number] = segment;
    if (before != null) {
      before.release();
    }
    return true;
  }

  /// When the bytes of one stream were printed.
  public StreamTimes times(StreamName name) {
    return new StreamTimes(log, name);
  }

  /// Lets the files go; it can be used again.
  @Override
  public void close() {
    for (int i = 0; i < inside.length; i++) {
      Segment segment = inside[i];
      inside[i] = null;
      if (segment != null) {
        segment.release();
      }
    }
  }
}
