package dev.sandpiper.agent.rest;

import io.netty.buffer.ByteBuf;

/// The answer to a request for the lines that are there: the JSON of [LogContent].
final class LogBody implements PulledBody.Source {
  private final LineReader reader;
  private final LineReader.Buffer buffer;
  private final LogContent content;

  LogBody(LineReader reader, LineReader.Buffer buffer, LogContent content) {
    this.reader = reader;
    this.buffer = buffer;
    this.content = content;
  }

  @Override
  public PulledBody.Next next(ByteBuf out) {
    LineReader.Stop stop = reader.read(buffer, content);
    switch (stop) {
      case FULL -> {}
      case END -> reader.passEnd();
      case IDLE, LIMIT, DRAINED -> {
        content.finish();
        content.out().append('\n');
      }
    }
    LogText.write(out, content.out());
    content.out().setLength(0);
    return stop == LineReader.Stop.FULL || stop == LineReader.Stop.END
        ? PulledBody.Next.MORE
        : PulledBody.Next.END;
  }

  @Override
  public void close() {
    reader.close();
  }
}
