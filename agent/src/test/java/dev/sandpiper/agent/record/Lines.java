package dev.sandpiper.agent.record;

import dev.sandpiper.agent.record.EmitterPosition.StreamPosition;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// A sink that keeps what it got, and a second, plain way to cut bytes into lines to compare with.
final class Lines implements LineSplitter.Sink {
  /// One line or part: its text as a record has it, and `part` as the splitter gave it.
  record Line(String text, int part) {
    static Line whole(String text) {
      return new Line(text, 0);
    }
  }

  final List<Line> lines = new ArrayList<>();
  final List<Long> offsets = new ArrayList<>();

  @Override
  public boolean line(byte[] bytes, int from, int to, long lineOffset, long timeMicros, int part) {
    lines.add(new Line(decode(Arrays.copyOfRange(bytes, from, to)), part));
    offsets.add(lineOffset);
    return true;
  }

  static LineSplitter splitter(int limit) {
    return new LineSplitter(limit, new LineSplitter.Held(), StreamPosition.BEGINNING);
  }

  /// The lines of a stream that comes in pieces of these sizes (the last goes on to the end) and then ends.
  static List<Line> split(byte[] stream, int limit, int... pieces) {
    var sink = new Lines();
    var splitter = splitter(limit);
    int at = 0;
    for (int piece : pieces) {
      int to = Math.min(at + piece, stream.length);
      splitter.feed(stream, at, to, at, 0, sink);
      at = to;
    }
    splitter.feed(stream, at, stream.length, at, 0, sink);
    splitter.flush(false, sink);
    return sink.lines;
  }

  /// The same, by the book: whole stream, whole lines, whole characters. No byte may be 0xed (the JDK groups bytes of
  /// surrogates in another way than Unicode recommends).
  static List<Line> reference(byte[] stream, int limit) {
    var lines = new ArrayList<Line>();
    int at = 0;
    while (at < stream.length) {
      int end = at;
      while (end < stream.length && stream[end] != '\n') {
        end++;
      }
      int to = end < stream.length && end > at && stream[end - 1] == '\r' ? end - 1 : end;
      lines.addAll(parts(decode(Arrays.copyOfRange(stream, at, to)), limit));
      at = end + 1;
    }
    return lines;
  }

  private static List<Line> parts(String text, int limit) {
    var parts = new ArrayList<String>();
    var part = new StringBuilder();
    int size = 0;
    int encoded = 0;
    for (int character : text.codePoints().toArray()) {
      int bytes = Character.toString(character).getBytes(StandardCharsets.UTF_8).length;
      int escaped = "\b\f\n\r\t\"\\".indexOf(character) >= 0 ? 2 : character < 0x20 ? 6 : bytes;
      if (size + bytes > limit || encoded + escaped > 2 * limit) {
        parts.add(part.toString());
        part.setLength(0);
        size = 0;
        encoded = 0;
      }
      part.appendCodePoint(character);
      size += bytes;
      encoded += escaped;
    }
    parts.add(part.toString());
    if (parts.size() == 1) {
      return List.of(Line.whole(parts.getFirst()));
    }
    var lines = new ArrayList<Line>();
    for (int i = 1; i <= parts.size(); i++) {
      lines.add(new Line(parts.get(i - 1), i < parts.size() ? i : -i));
    }
    return lines;
  }

  static String decode(byte[] raw) {
    return new String(raw, StandardCharsets.UTF_8);
  }

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
