package dev.sandpiper.agent.service;

import dev.sandpiper.agent.logs.LogFailure;
import dev.sandpiper.agent.logs.LogItem;
import dev.sandpiper.agent.logs.LogQueries;
import dev.sandpiper.agent.logs.LogReading;
import dev.sandpiper.proto.v1.LogQuery;
import dev.sandpiper.proto.v1.LogResponse;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.function.Consumer;

/// A query in the same process: what `Query` of [LogsService] would send, to a caller that waits for it.
public final class LogCopy {
  private LogCopy() {}

  /// Gives every entry and gap to `to`, in order, on the calling thread.
  ///
  /// @throws IOException when the query is refused or the log cannot be read, in words
  public static void copy(LogQueries logs, LogQuery query, Consumer<LogResponse> to)
      throws IOException {
    try (LogReading reading = logs.open(LogMessages.query(query))) {
      Handover handover = new Handover();
      while (true) {
        reading.next(handover);
        Answer answer = handover.answers.take();
        answer.items.stream().map(LogMessages::item).forEach(to);
        if (answer.failure.length() > 0) {
          throw new IOException(answer.failure);
        }
        if (answer.items.isEmpty()) {
          return;
        }
      }
    } catch (LogFailure failure) {
      throw new IOException(failure.text(), failure);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  /// No items and no failure: the end.
  private record Answer(List<LogItem> items, String failure) {}

  private static final class Handover implements LogReading.Receiver {
    private final BlockingQueue<Answer> answers = new ArrayBlockingQueue<>(1);

    @Override
    public void batch(List<LogItem> items) {
      answers.add(new Answer(List.copyOf(items), ""));
    }

    @Override
    public void end(LogReading.End end) {
      answers.add(new Answer(List.of(), ""));
    }

    @Override
    public void failed(LogFailure failure) {
      answers.add(new Answer(List.of(), failure.text()));
    }
  }
}
