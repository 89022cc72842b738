package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.output.StreamName;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// The lines of one stream, oldest first; with `follow` also those to come.
final class ForwardLines extends LineSource {
  private final boolean follow;
  private boolean begun;

  /// Nothing behind this offset is in the range.
  private long stop;

  /// The beginning of the next line or part.
  private long at;

  /// There is no `\n` between [#at] and here.
  private long scanned;

  /// The next line does not begin at its own beginning.
  private boolean continued;

  private boolean markPassed;

  /// The text to search for begins nowhere between [#at] and `searched`, but at `hit`.
  private long searched;

  private long hit = -1;

  ForwardLines(
      Group group, StreamName stream, Matching matching, Range range, int cut, boolean follow) {
    super(group, stream, matching, range, range.from(), cut);
    this.follow = follow;
  }

  private void refresh() {
    look();
    long high = range.highMicros();
    stop =
        high == Long.MAX_VALUE || log.lastMicros() < high ? Long.MAX_VALUE : times.offsetAt(high);
  }

  private void begin(Work work) {
    refresh();
    long low = range.lowMicros();
    if (own != null) {
      at = Math.min(own.offset(), end);
      continued =
          at > 0
              && at != mark
              && at - 1 >= log.startOffset(stream)
              && read(at - 1, 1, work)[0] != '\n';
    } else if (low > process.startedMicros()) {
      long first = times.offsetAt(low);
      LoggedProcess.Ended ended = process.ended();
      if (ended != null && low <= ended.micros()) {
        first = Math.min(first, mark);
      }
      long start = log.startOffset(stream);
      at = first <= start ? first : boundary(Math.max(start, first - DECIDED_WITHIN), work);
      continued =
          at > 0
              && at != mark
              && at - 1 >= log.startOffset(stream)
              && read(at - 1, 1, work)[0] != '\n';
    }
    scanned = at;
    base = at;
    begun = true;
  }

  @Override
  State find(Work work) throws LogFailure {
    if (!begun) {
      begin(work);
    }
    boolean looked = false;
    while (true) {
      if (work.isOver()) {
        return State.YIELD;
      }
      if (at >= stop && stop < end) {
        return State.DONE;
      }
      State state = step(work);
      if (state == State.EMPTY) {
        if ((complete && at >= end) || !follow) {
          return State.DONE;
        }
        if (looked) {
          return State.EMPTY;
        }
        looked = true;
        refresh();
      } else if (state != null) {
        return state;
      }
    }
  }

  /// Goes on by a line or a block. Null: go on; `EMPTY`: all there is was looked at.
  private @Nullable State step(Work work) throws LogFailure {
    if (at == mark && !markPassed) {
      return passMark(work);
    }
    long limit = at < mark ? Math.min(mark, end) : end;
    long known = Math.min(base + length, limit);
    if (known > searched && hit < at && skipLines(known)) {
      return null;
    }
    if (scanned < known) {
      long newline = newline(known);
      if (newline >= 0) {
        return ended(newline);
      }
    }
    long place = cutAfter(at);
    if (scanned >= place + 3) {
      return part(place, place + 2, limit);
    }
    if (scanned < limit) {
      return fill(work);
    }
    boolean over = limit == mark || complete;
    if (at >= limit || !over) {
      return State.EMPTY;
    }
    if (place < limit) {
      return part(place, limit - 1, limit);
    }
    long from = at;
    boolean was = continued;
    at = limit;
    scanned = at;
    continued = false;
    return line(from, limit, limit == mark ? mark : limit - 1, was, false, true);
  }

  /// Passes over whole lines that do not hold the text to search for, without looking at each. False: it passed over none.
  private boolean skipLines(long known) {
    byte[] needle = needle();
    if (needle == null || known <= at) {
      return false;
    }
    int from = (int) (at - base);
    int found = Matching.indexOf(buffer, from, (int) (known - base), needle);
    hit = found < 0 ? -1 : base + found;
    searched = found < 0 ? known : hit;
    for (int i = (int) (searched - base) - 1; i >= from; i--) {
      if (buffer[i] == '\n') {
        at = base + i + 1;
        scanned = Math.max(scanned, at);
        continued = false;
        return true;
      }
    }
    return false;
  }

  private long newline(long known) {
    byte[] bytes = buffer;
    int to = (int) (known - base);
    for (int i = (int) (scanned - base); i < to; i++) {
      if (bytes[i] == '\n') {
        return base + i;
      }
    }
    scanned = known;
    return -1;
  }

  private @Nullable State ended(long newline) throws LogFailure {
    long to = newline > at && buffer[(int) (newline - 1 - base)] == '\r' ? newline - 1 : newline;
    long place = cutAfter(at);
    if (place < to) {
      scanned = newline;
      return part(place, Math.min(place + 2, newline), newline);
    }
    long from = at;
    boolean was = continued;
    at = newline + 1;
    scanned = at;
    continued = false;
    return line(from, to, newline, was, false, true);
  }

  private @Nullable State part(long place, long decided, long limit) throws LogFailure {
    int index = character(buffer, (int) (place - base), (int) Math.min(length, limit - base));
    long from = at;
    boolean was = continued;
    at = base + index;
    scanned = Math.max(scanned, at);
    continued = true;
    return line(from, at, decided, was, true, true);
  }

  /// Behind a line that the end of the process has ended, its line end is no line.
  private @Nullable State passMark(Work work) {
    boolean unended =
        mark > 0 && mark - 1 >= log.startOffset(stream) && read(mark - 1, 1, work)[0] != '\n';
    if (unended && end > mark) {
      byte[] next = read(mark, (int) Math.min(2, end - mark), work);
      if (next[0] == '\n') {
        at = mark + 1;
      } else if (next[0] == '\r') {
        if (next.length < 2 && !complete) {
          return State.EMPTY;
        }
        if (next.length == 2 && next[1] == '\n') {
          at = mark + 2;
        }
      }
    } else if (end == mark) {
      return State.EMPTY;
    }
    scanned = at;
    markPassed = true;
    return null;
  }

  private @Nullable State fill(Work work) throws LogFailure {
    if (at > base + length) {
      base = at;
      length = 0;
    }
    if (at > base) {
      int gone = (int) (at - base);
      System.arraycopy(buffer, gone, buffer, 0, length - gone);
      base = at;
      length -= gone;
    }
    int block = (int) Math.min(work.block(), end - (base + length));
    reserve(length + block);
    ByteBuffer direct = work.direct.clear();
    direct.limit(Math.min(direct.capacity(), Math.min(buffer.length - length, block)));
    long next = base + length;
    int count = view.read(stream, next, direct);
    if (count < 0) {
      return gone(next);
    }
    direct.flip().get(buffer, length, count);
    length += count;
    work.did(count);
    scanned = Math.max(scanned, base);
    return null;
  }

  /// Retention has removed what comes next. What was read of the line is told, then the gap.
  private @Nullable State gone(long next) throws LogFailure {
    long from = at;
    if (next > from) {
      boolean was = continued;
      at = next;
      scanned = at;
      continued = true;
      return line(from, next, next - 1, was, true, true);
    }
    long start = log.startOffset(stream);
    at = start;
    base = at;
    length = 0;
    scanned = at;
    continued = start != mark;
    markPassed = start > mark;
    return gap(from, start, true);
  }

  @Override
  void idle() {
    super.idle();
    base = at;
    scanned = at;
  }
}
