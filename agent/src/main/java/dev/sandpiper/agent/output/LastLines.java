package dev.sandpiper.agent.output;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Set;

/// Finds where the last lines of a log begin, by reading it backwards.
///
/// What was printed is looked at from its end, entry after entry of the index. A `\n`, or a last byte of a stream that is none,
/// ends a line: it counts, as long as lines are missing, and its stream is *open* until the beginning of that line, behind
/// the `\n` before, is found too. So no line is cut, and lines of streams that were printed in pieces between each other count
/// where they were completed. Below the floor of the index there is no such order: there the streams follow each other, as
/// they do for a [LogCursor].
///
/// Memory: a block of each stream, and one file of the index. One search is one object, on one thread.
final class LastLines {
  private static final int BLOCK_BYTES = 128 * 1024;

  private final OutputLog log;
  private final Place[] places = new Place[StreamName.COUNT];
  private long missing;
  private int open;

  LastLines(OutputLog log, Set<StreamName> wanted, long lines) {
    this.log = log;
    this.missing = lines;
    for (StreamName name : wanted) {
      places[name.number] = new Place(name);
    }
  }

  Position.Offsets find() {
    List<IndexPiece> pieces;
    synchronized (log) {
      for (Place place : places) {
        if (place != null) {
          StreamLog stream = log.stream(place.name);
          place.begin(stream.start, stream.end);
        }
      }
      Index index = log.index();
      pieces = index == null ? List.of() : index.pieces();
    }
    for (int i = pieces.size() - 1; i >= 0 && !found(); i--) {
      if (!backThrough(pieces.get(i))) {
        break; // Its file is gone, so below it no order is known.
      }
    }
    for (int i = places.length - 1; i >= 0; i--) {
      Place place = places[i];
      if (place != null && !found()) {
        place.backTo(0);
      }
    }
    return new Position.Offsets(
        offset(StreamName.STDOUT), offset(StreamName.STDERR), offset(StreamName.PTY));
  }

  private long offset(StreamName name) {
    Place place = places[name.number];
    return place == null ? 0 : place.answer();
  }

  private boolean found() {
    return missing <= 0 && open == 0;
  }

  private boolean backThrough(IndexPiece piece) {
    long[] words = piece.words(log);
    if (words == null) {
      return false;
    }
    long[] starts = piece.starts(words);
    for (int i = starts.length - 1; i >= 0 && !found(); i--) {
      Place place = places[Index.streamOf(words[i * 2]).number];
      if (place != null) {
        place.backTo(starts[i]);
      }
    }
    return true;
  }

  /// How far back one stream has been looked at.
  private final class Place {
    final StreamName name;
    private long floor;
    private long end;
    private long at;

    /// The beginning of the first line that counts is being looked for.
    private boolean isOpen;

    private long lineStart;

    private byte[] block = {};
    private ByteBuffer direct = ByteBuffer.allocate(0);
    private long blockStart;

    Place(StreamName name) {
      this.name = name;
    }

    void begin(long streamStart, long streamEnd) {
      floor = streamStart;
      end = streamEnd;
      at = streamEnd;
      lineStart = streamEnd;
      blockStart = streamEnd;
    }

    long answer() {
      return isOpen ? floor : lineStart;
    }

    /// Looks at the bytes from `from` on that lie before what was looked at already.
    void backTo(long from) {
      while (at > Math.max(from, floor) && (missing > 0 || isOpen)) {
        if (at <= blockStart && !load()) {
          floor = at; // Gone meanwhile: what is kept begins here.
          break;
        }
        look(Math.max(Math.max(from, floor), blockStart));
      }
      if (at <= floor && isOpen) {
        isOpen = false;
        lineStart = floor;
        open--;
      }
    }

    private void look(long to) {
      while (at > to) {
        boolean newline = block[(int) (at - 1 - blockStart)] == '\n';
        if (newline || at == end) {
          if (newline && isOpen) {
            isOpen = false;
            lineStart = at;
            open--;
          }
          if (missing <= 0) {
            return;
          }
          missing--;
          isOpen = true;
          open++;
        }
        at--;
      }
    }

    /// Reads the block that ends at [#at]. False when its bytes are gone.
    private boolean load() {
      Segment segment;
      synchronized (log) {
        StreamLog stream = log.stream(name);
        if (at - 1 < stream.start) {
          return false;
        }
        segment = stream.at(at - 1);
      }
      if (!segment.enter()) {
        return false;
      }
      try {
        if (block.length == 0) {
          block = new byte[BLOCK_BYTES];
          direct = ByteBuffer.allocateDirect(BLOCK_BYTES);
        }
        blockStart = Math.max(segment.start, at - BLOCK_BYTES);
        direct.clear().limit((int) (at - blockStart));
        while (direct.hasRemaining()) {
          if (segment.read(direct, blockStart + direct.position()) == 0) {
            throw new IllegalStateException(
                "output segment %s is shorter than its index says".formatted(segment));
          }
        }
        direct.flip().get(block, 0, direct.limit());
        return true;
      } finally {
        segment.release();
      }
    }
  }
}
