package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.logs.LogPosition.Rank;
import dev.sandpiper.agent.output.StreamName;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// The lines of one stream, newest first.
final class BackwardLines extends LineSource {
  private boolean begun;
  private boolean over;

  /// Everything below was printed before the range.
  private long low;

  /// Where the next line to tell ends, with its line end.
  private long to;

  /// That is a cut; then where it was decided.
  private boolean toCut;

  private long cutDecided;

  BackwardLines(Group group, StreamName stream, Matching matching, Range range, int cut) {
    super(group, stream, matching, range, range.before(), cut);
  }

  private void begin(Work work) {
    look();
    begun = true;
    long high = range.highMicros();
    to = end;
    if (own != null) {
      over = own.rank() == Rank.GAP;
      to = Math.min(own.offset(), end);
    } else if (log.lastMicros() >= high) {
      long behind = times.offsetAt(high) + 3L * cut + DECIDED_WITHIN;
      if (behind < end) {
        to = boundary(behind, work);
      }
    }
    long lowMicros = range.lowMicros();
    low = lowMicros > process.startedMicros() ? times.offsetAt(lowMicros) : 0;
    base = to;
    length = 0;
    if (to == end && to > 0 && to != mark && !complete) {
      skipUnended(work);
    } else if (to > 0 && to < end && to != mark) {
      findOutWhat(work);
    }
  }

  /// What has not ended yet at the end of the stream is no line.
  private void skipUnended(Work work) {
    long lowest = Math.max(log.startOffset(stream), to > mark ? mark : 0);
    long place = Math.max(0, floor(Math.max(0, to - 3)));
    long from = Math.max(lowest, place - cut);
    byte[] bytes = read(from, (int) (to - from), work);
    for (int i = bytes.length - 1; i >= 0; i--) {
      if (bytes[i] == '\n') {
        to = from + i + 1;
        base = to;
        return;
      }
    }
    if (place - cut >= from && place > from) {
      to = from + character(bytes, (int) (place - from), bytes.length);
      toCut = true;
      cutDecided = place + 2;
    } else {
      to = from;
    }
    base = to;
  }

  /// Whether the place to begin at is a cut, and what decided it.
  private void findOutWhat(Work work) {
    if (to - 1 < log.startOffset(stream) || read(to - 1, 1, work)[0] == '\n') {
      return;
    }
    long place = floor(to + cut - 1);
    toCut = true;
    long limit = place < mark ? Math.min(mark, end) : end;
    cutDecided = Math.min(place + 2, limit - 1);
    byte[] next = read(place, (int) Math.max(0, Math.min(3, limit - place)), work);
    for (int i = 0; i < next.length; i++) {
      if (next[i] == '\n') {
        cutDecided = Math.min(cutDecided, place + i);
        break;
      }
    }
  }

  @Override
  State find(Work work) throws LogFailure {
    if (!begun) {
      begin(work);
    }
    while (true) {
      if (over || to == 0 || (to + DECIDED_WITHIN <= low && to != mark)) {
        return State.DONE;
      }
      if (work.isOver()) {
        return State.YIELD;
      }
      State state = step(work);
      if (state != null) {
        return state;
      }
    }
  }

  private @Nullable State step(Work work) throws LogFailure {
    long lowest = to > mark ? mark : 0;
    if (to == base && !fill(work)) {
      return gone();
    }
    boolean terminated = to > lowest && !toCut && buffer[(int) (to - 1 - base)] == '\n';
    long raw = terminated ? to - 1 : to;
    if (raw > lowest && raw == base && !fill(work)) {
      return tell(base, raw, raw, terminated, base != mark);
    }
    long text =
        terminated && raw > lowest && buffer[(int) (raw - 1 - base)] == '\r' ? raw - 1 : raw;
    // The place where this line would be cut, if it began a cut before it.
    long place = text == 0 ? 0 : floor(text - 1);
    long from = Math.max(lowest, place - cut);
    long searched = raw;
    while (true) {
      long until = Math.max(base, from);
      for (int i = (int) (searched - 1 - base); i >= until - base; i--) {
        if (buffer[i] == '\n') {
          return tell(base + i + 1, text, raw, terminated, false);
        }
      }
      searched = until;
      if (until == from) {
        break;
      }
      if (!fill(work)) {
        return tell(base, text, raw, terminated, base != mark);
      }
    }
    if (place - cut >= lowest && place > from) {
      // A character across the place is looked at with what follows it.
      long limit = to > mark ? end : Math.min(mark, end);
      int begin = character(buffer, (int) (place - base), (int) Math.min(length, limit - base));
      long decided = Math.min(place + 2, terminated ? raw : toCut ? Long.MAX_VALUE : to - 1);
      long start = base + begin;
      long old = to;
      boolean wasCut = toCut;
      long wasDecided = cutDecided;
      to = start;
      toCut = true;
      cutDecided = decided;
      return line(
          start, text, decided(old, raw, terminated, wasCut, wasDecided), true, wasCut, false);
    }
    if (from == mark
        && terminated
        && text == mark
        && mark > 0
        && mark - 1 >= log.startOffset(stream)
        && read(mark - 1, 1, work)[0] != '\n') {
      to = mark; // The line end of a line that the end of the process had ended.
      toCut = false;
      return null;
    }
    return tell(from, text, raw, terminated, false);
  }

  private @Nullable State tell(
      long from, long text, long raw, boolean terminated, boolean continued) throws LogFailure {
    long old = to;
    boolean wasCut = toCut;
    long wasDecided = cutDecided;
    to = from;
    toCut = false;
    return line(
        from, text, decided(old, raw, terminated, wasCut, wasDecided), continued, wasCut, false);
  }

  private long decided(long old, long raw, boolean terminated, boolean wasCut, long wasDecided) {
    if (terminated) {
      return raw;
    }
    if (wasCut) {
      return wasDecided;
    }
    return old == mark ? mark : old - 1;
  }

  /// What comes before is not kept.
  private @Nullable State gone() {
    over = true;
    return gap(0, to, false);
  }

  /// Reads the block before what is in the buffer. False when it is gone.
  private boolean fill(Work work) {
    int keep = (int) Math.min(length, to + 3 - base);
    while (true) {
      long start = log.startOffset(stream);
      if (base <= start) {
        return false;
      }
      long first = Math.max(start, base - Math.min(work.block(), work.direct.capacity()));
      int count = (int) (base - first);
      ByteBuffer direct = work.direct.clear().limit(count);
      boolean read = true;
      while (direct.hasRemaining()) {
        if (view.read(stream, first + direct.position(), direct) <= 0) {
          read = false; // Gone meanwhile.
          break;
        }
      }
      if (read) {
        length = keep;
        reserve(count + keep);
        System.arraycopy(buffer, 0, buffer, count, keep);
        direct.flip().get(buffer, 0, count);
        base = first;
        length = count + keep;
        work.did(count);
        return true;
      }
    }
  }
}
