package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.output.StreamName;

/// The JSON of lines, made piece by piece: `{"content":"…","lines":2}`, and `"gaps":[{"stream","start","end"}]` where bytes
/// are not there any more.
///
/// `content` ends with a line end when it holds all there is, as a file would; lines that were chosen or stripped are
/// only separated by line ends.
final class LogContent implements LineReader.Sink {
  private final StringBuilder out = new StringBuilder("{\"content\":\"");
  private final StringBuilder gaps = new StringBuilder();
  private final StringBuilder line = new StringBuilder();
  private final LineFormat format;
  private final boolean separated;
  private long skip;
  private long lines;

  /// @param separated whether line ends only separate
  /// @param skip so many lines are left out at the beginning
  LogContent(LineFormat format, boolean separated, long skip) {
    this.format = format;
    this.separated = separated;
    this.skip = skip;
  }

  @Override
  public boolean line(StreamName stream, byte[] bytes, int from, int to, long micros) {
    if (skip > 0) {
      skip--;
      return true;
    }
    if (separated && lines > 0) {
      out.append("\\n");
    }
    line.setLength(0);
    format.append(line, stream, bytes, from, to, micros);
    JsonText.escape(out, line);
    if (!separated) {
      out.append("\\n");
    }
    lines++;
    return out.length() < PulledBody.PIECE_BYTES;
  }

  @Override
  public void gap(StreamName stream, long start, long end) {
    skip = 0; // nobody knows how many of them are gone
    gaps.append(gaps.isEmpty() ? "" : ",");
    appendGap(gaps, stream, start, end);
  }

  static void appendGap(StringBuilder json, StreamName stream, long start, long end) {
    json.append("{\"stream\":\"").append(stream.text());
    json.append("\",\"start\":").append(start).append(",\"end\":").append(end).append('}');
  }

  /// Nothing more comes.
  void finish() {
    out.append("\",\"lines\":").append(lines);
    if (!gaps.isEmpty()) {
      out.append(",\"gaps\":[").append(gaps).append(']');
    }
    out.append('}');
  }

  /// What is there by now; to be emptied by the caller.
  StringBuilder out() {
    return out;
  }
}
