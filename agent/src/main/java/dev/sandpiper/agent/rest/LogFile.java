package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.output.StreamName;
import io.netty.buffer.ByteBuf;
import java.util.Map;

/// The answer to a request for a log file: line after line. Bytes that were there when the response began and are not any
/// more when their turn comes break it off, as a file that looks whole and is not would be worse.
final class LogFile implements PulledBody.Source, LineReader.Sink {
  private final LineReader reader;
  private final LineReader.Buffer buffer;
  private final LineFormat format;
  private final Map<StreamName, Long> starts;
  private final StringBuilder text = new StringBuilder();
  private boolean broken;

  /// @param starts where the streams began when the head was made, which tells what is not there
  LogFile(
      LineReader reader,
      LineReader.Buffer buffer,
      LineFormat format,
      Map<StreamName, Long> starts) {
    this.reader = reader;
    this.buffer = buffer;
    this.format = format;
    this.starts = starts;
  }

  @Override
  public boolean line(StreamName stream, byte[] bytes, int from, int to, long micros) {
    format.append(text, stream, bytes, from, to, micros);
    text.append('\n');
    return text.length() < PulledBody.PIECE_BYTES && !broken;
  }

  @Override
  public void gap(StreamName stream, long start, long end) {
    broken |= end > starts.getOrDefault(stream, 0L);
  }

  @Override
  public PulledBody.Next next(ByteBuf out) {
    text.setLength(0);
    LineReader.Stop stop = reader.read(buffer, this);
    if (broken) {
      return PulledBody.Next.BREAK;
    }
    if (stop == LineReader.Stop.END) {
      reader.passEnd();
    }
    LogText.write(out, text);
    return stop == LineReader.Stop.FULL || stop == LineReader.Stop.END
        ? PulledBody.Next.MORE
        : PulledBody.Next.END;
  }

  @Override
  public void close() {
    reader.close();
  }
}
