package dev.sandpiper.agent.output;

import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/// One stream of one log: which of its bytes there are, and in which files. Everything is guarded by the log's monitor and
/// written on the pipe loop only.
final class StreamLog {
  final StreamName name;

  /// The first byte that is still there, and the one behind the last.
  long start;

  long end;

  /// Somebody may still print to it.
  boolean open = true;

  /// Oldest first, without holes. Null until the first byte, as most streams never get one.
  private @Nullable ArrayDeque<Segment> segments;

  /// The one that grows; it is the last of [#segments]. Pipe loop only.
  @Nullable Segment active;

  /// Moves the bytes; null before a source is attached and after the last byte. Pipe loop only.
  @Nullable Pump pump;

  StreamLog(StreamName name) {
    this.name = name;
  }

  void add(Segment segment) {
    if (segments == null) {
      segments = new ArrayDeque<>(2);
    }
    segments.addLast(segment);
  }

  @Nullable Segment oldest() {
    return segments == null ? null : segments.peekFirst();
  }

  /// Takes the oldest segment out; what was in it is a gap from now on.
  void removeOldest() {
    if (segments == null) {
      return;
    }
    Segment gone = segments.removeFirst();
    start = gone.end();
    if (segments.isEmpty()) {
      segments = null;
      start = end;
    }
  }

  /// The segment that holds `offset`, which is not below [#start] and below [#end].
  Segment at(long offset) {
    if (segments != null) {
      // From the newest: that is where readers are.
      for (var newestFirst = segments.descendingIterator(); newestFirst.hasNext(); ) {
        Segment segment = newestFirst.next();
        if (segment.start <= offset && offset < segment.end()) {
          return segment;
        }
      }
    }
    throw new IllegalStateException(
        "no segment of %s holds offset %d, kept are %d to %d"
            .formatted(name.text(), offset, start, end));
  }
}
