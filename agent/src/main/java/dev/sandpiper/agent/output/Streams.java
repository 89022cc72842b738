package dev.sandpiper.agent.output;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;

/// The streams of one log. Guarded by the log's monitor.
final class Streams implements Iterable<StreamLog> {
  private final List<StreamLog> all;

  Streams(Set<StreamName> names) {
    List<StreamLog> streams = new ArrayList<>(names.size());
    for (StreamName name : names) {
      streams.add(new StreamLog(name));
    }
    this.all = streams;
  }

  @Override
  public Iterator<StreamLog> iterator() {
    return all.iterator();
  }

  StreamLog get(StreamName name) {
    for (StreamLog stream : all) {
      if (stream.name == name) {
        return stream;
      }
    }
    throw new IllegalArgumentException("this process has no stream " + name.text());
  }

  Set<StreamName> names() {
    Set<StreamName> names = EnumSet.noneOf(StreamName.class);
    all.forEach(stream -> names.add(stream.name));
    return Collections.unmodifiableSet(names);
  }

  boolean anyOpen() {
    for (StreamLog stream : all) {
      if (stream.open) {
        return true;
      }
    }
    return false;
  }

  void closeAll() {
    all.forEach(stream -> stream.open = false);
  }

  /// Where the streams end, by number.
  long[] ends() {
    long[] ends = new long[StreamName.COUNT];
    all.forEach(stream -> ends[stream.name.number] = stream.end);
    return ends;
  }

  /// Where what is kept begins, by number. A stream that there is not holds nothing back.
  long[] starts() {
    long[] starts = new long[StreamName.COUNT];
    Arrays.fill(starts, Long.MAX_VALUE);
    all.forEach(stream -> starts[stream.name.number] = stream.start);
    return starts;
  }

  /// The offsets by number.
  ///
  /// @throws IllegalArgumentException when one lies beyond the end of its stream, which is among the wanted ones
  long[] checked(Position.Offsets offsets, Set<StreamName> wanted) {
    long[] position = new long[StreamName.COUNT];
    for (StreamLog stream : all) {
      long offset = offsets.of(stream.name);
      if (offset > stream.end && wanted.contains(stream.name)) {
        throw new IllegalArgumentException(
            "offset %d lies beyond the end of %s, which is at %d"
                .formatted(offset, stream.name.text(), stream.end));
      }
      position[stream.name.number] = offset;
    }
    return position;
  }
}
