package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.process.ManagedProcess;
import org.jspecify.annotations.Nullable;

/// The events of a follower. The first one holds the lines that were there, as [LogContent]; each later one is a line. What
/// retention has removed meanwhile is an event named `gap`, and the last one, named `exit`, is the process as it ended.
///
/// One reader goes through all of it, so there is no seam. Every event has the id of the place behind it.
final class LogFollow implements EventStream.Source, LineReader.Sink {
  private final ManagedProcess process;
  private final LineReader reader;
  private final LineReader.Buffer buffer;
  private final LineFormat format;
  private final StringBuilder text = new StringBuilder();
  private @Nullable LogContent history;
  private boolean begun;
  private @Nullable EventStream events;

  /// @param history what takes the lines up to the reader's limit; null for one who comes back
  LogFollow(
      ManagedProcess process,
      LineReader reader,
      LineReader.Buffer buffer,
      LineFormat format,
      @Nullable LogContent history) {
    this.process = process;
    this.reader = reader;
    this.buffer = buffer;
    this.format = format;
    this.history = history;
  }

  @Override
  public EventStream.Next next(EventStream to) {
    LogContent past = history;
    if (past != null) {
      return past(past, to);
    }
    events = to;
    LineReader.Stop stop = reader.read(buffer, this);
    return switch (stop) {
      case FULL -> EventStream.Next.MORE;
      case IDLE, DRAINED -> EventStream.Next.WAIT;
      case LIMIT -> throw new IllegalStateException("a follower has no limit");
      case END -> exit(to);
    };
  }

  /// Adds to the first event.
  private EventStream.Next past(LogContent past, EventStream to) {
    if (!begun) {
      begun = true;
      to.begin(null);
    }
    LineReader.Stop stop = reader.read(buffer, past);
    boolean more = stop == LineReader.Stop.FULL;
    if (!more) {
      past.finish();
    }
    to.data(past.out());
    past.out().setLength(0);
    if (more) {
      return EventStream.Next.MORE;
    }
    to.end(id());
    history = null;
    reader.limit(null);
    return stop == LineReader.Stop.END ? exit(to) : EventStream.Next.MORE;
  }

  private EventStream.Next exit(EventStream to) {
    if (process.end() == null) {
      throw new IllegalStateException("the log holds an end that its process does not");
    }
    text.setLength(0);
    ProcessJson.append(text, process);
    to.event("exit", LinePosition.endToken(process.processId()), text);
    return EventStream.Next.END;
  }

  private String id() {
    return reader.position().token(process.processId());
  }

  private EventStream events() {
    EventStream to = events;
    if (to == null) {
      throw new IllegalStateException("lines come only when they are asked for");
    }
    return to;
  }

  @Override
  public boolean line(StreamName stream, byte[] bytes, int from, int to, long micros) {
    text.setLength(0);
    format.append(text, stream, bytes, from, to, micros);
    events().event(null, id(), text);
    return !events().isFull();
  }

  @Override
  public void gap(StreamName stream, long start, long end) {
    text.setLength(0);
    LogContent.appendGap(text, stream, start, end);
    events().event("gap", id(), text);
  }

  @Override
  public void close() {
    reader.close();
  }
}
