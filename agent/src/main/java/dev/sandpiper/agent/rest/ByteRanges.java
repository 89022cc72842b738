package dev.sandpiper.agent.rest;

import java.util.ArrayList;
import java.util.List;

/// What a `Range` header asks for (RFC 9110, section 14).
///
/// @param outcome what to do with it
/// @param ranges in the order of the header; empty unless the outcome is `PARTS`
record ByteRanges(Outcome outcome, List<Range> ranges) {
  /// More than this is not what a player or a resumed download asks for: the file is sent whole.
  private static final int MAX_RANGES = 200;

  private static final ByteRanges WHOLE = new ByteRanges(Outcome.WHOLE, List.of());
  private static final ByteRanges MALFORMED = new ByteRanges(Outcome.MALFORMED, List.of());

  enum Outcome {
    /// The file is sent as if there were no header.
    WHOLE,
    PARTS,
    /// None of the ranges lies inside the file.
    UNSATISFIABLE,
    MALFORMED
  }

  /// @param start offset of the first byte
  /// @param length at least 1
  record Range(long start, long length) {
    /// The value of a `Content-Range` header.
    String header(long size) {
      return "bytes " + start + "-" + (start + length - 1) + "/" + size;
    }
  }

  ByteRanges {
    ranges = List.copyOf(ranges);
  }

  /// Ranges that begin behind the end are left out. Ranges that ask for more bytes than there are (overlapping ones) are
  /// an attack or a mistake, and an empty file has no ranges: both get the whole file.
  static ByteRanges parse(String header, long size) {
    if (!header.startsWith("bytes=")) {
      return MALFORMED;
    }
    List<Range> ranges = new ArrayList<>(2);
    boolean behindTheEnd = false;
    long total = 0;
    String[] elements = header.substring("bytes=".length()).split(",", MAX_RANGES + 2);
    if (elements.length > MAX_RANGES) {
      return WHOLE;
    }
    for (String element : elements) {
      String spec = element.strip();
      if (!spec.isEmpty()) {
        long[] bounds = bounds(spec, size);
        if (bounds.length == 0) {
          return MALFORMED;
        }
        if (bounds[1] <= 0) {
          behindTheEnd = true;
        } else {
          ranges.add(new Range(bounds[0], bounds[1]));
          total += bounds[1];
        }
      }
    }
    if (ranges.isEmpty()) {
      return behindTheEnd && size > 0 ? new ByteRanges(Outcome.UNSATISFIABLE, List.of()) : WHOLE;
    }
    return total > size ? WHOLE : new ByteRanges(Outcome.PARTS, ranges);
  }

  /// Start and length, the length not positive where the range lies behind the end; nothing where it is malformed.
  private static long[] bounds(String spec, long size) {
    long[] malformed = {};
    int dash = spec.indexOf('-');
    if (dash < 0) {
      return malformed;
    }
    String first = spec.substring(0, dash).strip();
    String last = spec.substring(dash + 1).strip();
    long start = first.isEmpty() ? -1 : number(first);
    long end = last.isEmpty() ? -1 : number(last);
    if (start == -2 || end == -2 || (first.isEmpty() && last.isEmpty())) {
      return malformed;
    }
    if (first.isEmpty()) { // the last `end` bytes
      long length = Math.min(end, size);
      return new long[] {size - length, length};
    }
    if (!last.isEmpty() && end < start) {
      return malformed;
    }
    long stop = last.isEmpty() ? size : Math.min(end, size - 1) + 1;
    return new long[] {start, stop - start};
  }

  /// The number, or -2 where it is none; one too large for 64 bits is as good as the largest.
  private static long number(String digits) {
    for (int i = 0; i < digits.length(); i++) {
      if (digits.charAt(i) < '0' || digits.charAt(i) > '9') {
        return -2;
      }
    }
    return digits.length() > 18 ? Long.MAX_VALUE - 1 : Long.parseLong(digits);
  }
}
