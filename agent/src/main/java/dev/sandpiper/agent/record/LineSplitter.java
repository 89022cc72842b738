package dev.sandpiper.agent.record;

import dev.sandpiper.agent.record.EmitterPosition.StreamPosition;
import java.util.Arrays;

/// Cuts one stream into lines. Bytes may arrive split anywhere, even inside a character.
///
/// - A line ends at `\n`; one `\r` right before it goes too; any other `\r` is text. Blank lines are lines.
/// - A line of more than `limitBytes` bytes *as emitted* (UTF-8, every mistake as three bytes) leaves in parts, cut
///   between characters, each as soon as it is known that the line does not end there; there is no empty last part.
///   A line whose text would grow beyond twice the limit as JSON (control characters: six bytes each) is cut there
///   as well, so that a record stays below what shippers take.
/// - What has no `\n` yet waits here: at most the limit, and nothing is allocated while nothing waits.
/// - [#flush] ends the waiting line where the stream, or the process, ends. If the stream goes on all the same (a
///   background child that holds it), what follows is a new line; a `\n` alone only ends the line that has left.
///
/// How it works: a whole line in the bytes at hand, too short to pass a limit whatever it holds, goes to the sink
/// from where it lies. All else is copied to `pending` and measured there, each byte once.
///
/// Not thread-safe: one per stream.
public final class LineSplitter {
  /// Takes the lines. False: nothing more is wanted, and the splitter is not used again.
  public interface Sink {
    /// A line, or a part of one, in `bytes[from, to)`, without its line end; valid during the call only.
    ///
    /// `lineOffset` is the offset in the stream, and `timeMicros` the time, of the line's first byte. `part` is 0 for
    /// a whole line, n for its n-th part when more will follow, -n when the n-th is the last.
    boolean line(byte[] bytes, int from, int to, long lineOffset, long timeMicros, int part);
  }

  /// What is held for lines that have not ended, over all splitters of one emitter; counted by one thread.
  public static final class Held {
    private long bytes;

    long bytes() {
      return bytes;
    }
  }

  private static final byte[] NOTHING = {};
  private static final int FIRST_CAPACITY = 128;
  // Kept back by an early part, so that the rest of the line is never empty: a character and a line
  // end.
  private static final int KEPT_BACK_BYTES = 2 * Utf8.MAX_CHARACTER_BYTES;
  // Undecided bytes at the end: the start of a character, or a carriage return.
  private static final int UNDECIDED_BYTES = Utf8.MAX_CHARACTER_BYTES;

  private final Held held;
  private final int limitBytes;
  private final long maxEncoded;
  private final int certainBytes; // a line of so few raw bytes passes no limit, whatever it holds

  private final JsonText.Measure measure = new JsonText.Measure();
  private byte[] pending = NOTHING;
  private int length;
  private int part; // parts of this line that have left
  private boolean continued; // the line before was ended by flush, not by its line end
  private long lineOffset;
  private long lineMicros;
  private long pendingOffset; // of the first byte in `pending`
  private long nextOffset;
  private long recorded; // offset of the first byte that is in no record yet

  /// A splitter that goes on at `from`.
  ///
  /// @param held counts what waits here, together with other splitters
  public LineSplitter(int limitBytes, Held held, StreamPosition from) {
    this.limitBytes = limitBytes;
    this.held = held;
    part = from.parts();
    continued = from.continued();
    lineOffset = from.lineOffset();
    lineMicros = from.lineMicros();
    nextOffset = from.offset();
    recorded = from.offset();
    maxEncoded = 2L * limitBytes;
    certainBytes = limitBytes / Utf8.REPLACEMENT_BYTES;
  }

  /// Takes `bytes[from, to)`, whose first byte lies at `offset` of the stream. False once the sink said so.
  public boolean feed(byte[] bytes, int from, int to, long offset, long timeMicros, Sink sink) {
    nextOffset = offset + (to - from);
    int at = from;
    while (at < to) {
      int stop = at;
      while (stop < to && bytes[stop] != '\n') {
        stop++;
      }
      boolean terminated = stop < to;
      boolean fresh = length == 0 && part == 0;
      boolean wanted;
      if (terminated && fresh && !continued && stop - at <= certainBytes) {
        int end = stop > at && bytes[stop - 1] == '\r' ? stop - 1 : stop;
        wanted = sink.line(bytes, at, end, offset + (at - from), timeMicros, 0);
      } else {
        if (fresh) {
          lineOffset = offset + (at - from);
          lineMicros = timeMicros;
        }
        if (length == 0) {
          pendingOffset = offset + (at - from);
        }
        wanted = append(bytes, at, stop, sink) && (!terminated || endLine(sink));
      }
      if (!wanted) {
        release();
        return false;
      }
      if (terminated) {
        recorded = offset + (stop + 1 - from);
      }
      at = stop + 1;
    }
    return true;
  }

  /// Ends the line that waits, if one does. `goesOn`: the stream is not at its end, only the process is.
  public boolean flush(boolean goesOn, Sink sink) {
    if (length == 0 && part == 0) {
      continued &= goesOn;
      return true;
    }
    boolean wanted = emitFull(true, sink) && emitRest(sink);
    continued = goesOn;
    recorded = nextOffset;
    return wanted;
  }

  /// Lets what waits leave early, as a part, because too much is held in total. Keeps a few bytes back.
  boolean flushEarly(Sink sink) {
    int most = length - KEPT_BACK_BYTES;
    if (most <= 0) {
      return true;
    }
    measure.clear();
    measure.advance(pending, 0, most, false, limitBytes, maxEncoded);
    boolean wanted = measure.rawBytes() == 0 || emitPart(sink);
    held.bytes -= pending.length - length;
    pending = Arrays.copyOf(pending, length);
    return wanted;
  }

  /// Where another splitter can go on: behind the last record, also when asked for while the sink takes the next one.
  /// What waits here is read again then.
  StreamPosition position() {
    return new StreamPosition(
        recorded, part > 0 ? lineOffset : recorded, part > 0 ? lineMicros : 0, part, continued);
  }

  /// The bytes up to `offset` are gone, and a record says so. Nothing waits.
  void skip(long offset) {
    nextOffset = offset;
    recorded = offset;
  }

  /// Gives back what it holds. What waited is lost; used when nothing more is wanted.
  public void release() {
    held.bytes -= pending.length;
    pending = NOTHING;
    length = 0;
    part = 0;
    measure.clear();
  }

  private boolean append(byte[] bytes, int from, int to, Sink sink) {
    int at = from;
    while (at < to) {
      // After emitFull at most the limit and the undecided bytes remain, so this always makes
      // progress.
      int count = Math.min(to - at, limitBytes + 2 * UNDECIDED_BYTES - length);
      reserve(length + count);
      System.arraycopy(bytes, at, pending, length, count);
      length += count;
      at += count;
      if (!emitFull(false, sink)) {
        return false;
      }
    }
    return true;
  }

  private boolean endLine(Sink sink) {
    if (length > 0 && pending[length - 1] == '\r') {
      length--;
    }
    if (!emitFull(true, sink)) {
      return false;
    }
    if (continued && length == 0) {
      release(); // the line end of a line that has left
      continued = false;
      return true;
    }
    continued = false;
    return emitRest(sink);
  }

  /// Lets full parts leave until the rest fits into one.
  private boolean emitFull(boolean complete, Sink sink) {
    while (true) {
      // A carriage return at the very end may yet belong to the line end.
      boolean undecided = !complete && length > 0 && pending[length - 1] == '\r';
      int decided = undecided ? length - 1 : length;
      if (!measure.advance(pending, 0, decided, complete || undecided, limitBytes, maxEncoded)) {
        return true;
      }
      if (!emitPart(sink)) {
        return false;
      }
    }
  }

  private boolean emitPart(Sink sink) {
    int count = measure.rawBytes();
    boolean wanted = sink.line(pending, 0, count, lineOffset, lineMicros, part + 1);
    part++;
    pendingOffset += count;
    recorded = pendingOffset;
    System.arraycopy(pending, count, pending, 0, length - count);
    length -= count;
    measure.clear();
    return wanted;
  }

  private boolean emitRest(Sink sink) {
    boolean wanted =
        sink.line(pending, 0, length, lineOffset, lineMicros, part == 0 ? 0 : -(part + 1));
    release();
    return wanted;
  }

  private void reserve(int capacity) {
    if (capacity > pending.length) {
      int larger = Math.max(Math.max(FIRST_CAPACITY, capacity), pending.length * 2);
      larger = Math.min(larger, limitBytes + 2 * UNDECIDED_BYTES);
      held.bytes += larger - pending.length;
      pending = Arrays.copyOf(pending, larger);
    }
  }
}
