package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.StreamName;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Where a reader of a process's lines stands: in each stream that it reads, where the line begins that is not (wholly)
/// delivered yet, and how many parts of it are.
///
/// Text, as the id of an event: `k3f9z1.o1234.e88p2` is a check on the process, then a letter per stream (`o`, `e`, `t`),
/// the offset of its line, and the parts of that line that are behind. `k3f9z1.end` is behind the exit.
final class LinePosition {
  /// @param line offset of its first byte
  /// @param parts of it that are delivered
  record Place(long line, int parts) {}

  private static final String END = "end";
  private static final int RADIX = 36;

  private final Map<StreamName, Place> places = new EnumMap<>(StreamName.class);

  /// Before the first byte.
  static LinePosition beginning(Set<StreamName> streams) {
    LinePosition position = new LinePosition();
    streams.forEach(stream -> position.places.put(stream, new Place(0, 0)));
    return position;
  }

  Place get(StreamName stream) {
    Place place = places.get(stream);
    return place == null ? new Place(0, 0) : place;
  }

  long line(StreamName stream) {
    return get(stream).line();
  }

  void put(StreamName stream, long line, int parts) {
    places.put(stream, new Place(line, parts));
  }

  /// A position of its own, which does not move with this one.
  LinePosition copy() {
    LinePosition copy = new LinePosition();
    copy.places.putAll(places);
    return copy;
  }

  String token(String processId) {
    StringBuilder text = new StringBuilder(32).append(check(processId));
    places.forEach((stream, place) -> {
      text.append('.').append(letter(stream)).append(place.line());
      if (place.parts() > 0) {
        text.append('p').append(place.parts());
      }
    });
    return text.toString();
  }

  /// The id of the last event.
  static String endToken(String processId) {
    return check(processId) + "." + END;
  }

  static boolean isEnd(String token, String processId) {
    return token.equals(endToken(processId));
  }

  /// The position of an id.
  ///
  /// @param streams that are to be read on
  /// @throws Problem 400: it is none, or not of this process, these streams, or this time
  static LinePosition parse(String token, OutputLog log, Set<StreamName> streams) throws Problem {
    String[] parts = token.split("\\.", -1);
    if (!parts[0].equals(check(log.processId()))) {
      throw bad(token, "it is no event id of this process");
    }
    LinePosition position = new LinePosition();
    for (int i = 1; i < parts.length; i++) {
      StreamName stream = stream(parts[i]);
      Place place = stream == null ? null : place(parts[i].substring(1));
      if (stream == null || place == null || position.places.putIfAbsent(stream, place) != null) {
        throw bad(token, "it is no event id");
      }
      if (log.streams().contains(stream) && place.line() > log.endOffset(stream)) {
        throw bad(token, "it lies beyond the end of " + stream.text());
      }
    }
    if (!position.places.keySet().equals(streams)) {
      throw bad(token, "it belongs to another choice of stream");
    }
    return position;
  }

  private static char letter(StreamName stream) {
    return switch (stream) {
      case STDOUT -> 'o';
      case STDERR -> 'e';
      case PTY -> 't';
    };
  }

  private static @Nullable StreamName stream(String part) {
    for (StreamName stream : StreamName.values()) {
      if (!part.isEmpty() && part.charAt(0) == letter(stream)) {
        return stream;
      }
    }
    return null;
  }

  private static @Nullable Place place(String text) {
    int mark = text.indexOf('p');
    try {
      long line = Long.parseUnsignedLong(mark < 0 ? text : text.substring(0, mark));
      int parts = mark < 0 ? 0 : Integer.parseUnsignedInt(text.substring(mark + 1));
      return line < 0 || parts < 0 ? null : new Place(line, parts);
    } catch (NumberFormatException _) {
      return null;
    }
  }

  private static Problem bad(String token, String why) {
    String shown = token.length() > 100 ? token.substring(0, 100) + "…" : token;
    return Problem.badParameter("Last-Event-ID", "'" + shown + "': " + why);
  }

  private static String check(String processId) {
    return Integer.toUnsignedString(processId.hashCode(), RADIX);
  }
}
