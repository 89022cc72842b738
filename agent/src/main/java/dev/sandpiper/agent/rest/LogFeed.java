package dev.sandpiper.agent.rest;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.logs.LogFailure;
import dev.sandpiper.agent.logs.LogItem;
import dev.sandpiper.agent.logs.LogReading;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A reading's items, one batch at a time, from the engine's threads to whoever writes them: the next batch is asked for
/// when the last one has been taken, so no more than one waits here.
final class LogFeed implements LogReading.Receiver, AutoCloseable {
  private final LogReading reading;
  private final Runnable news;

  @GuardedBy("this")
  private final Deque<LogItem> items = new ArrayDeque<>(); // at most a batch

  @GuardedBy("this")
  private boolean asked;

  @GuardedBy("this")
  private LogReading.@Nullable End end;

  @GuardedBy("this")
  private @Nullable LogFailure failure;

  /// @param news called when there is more, or nothing more; on a thread of the engine
  LogFeed(LogReading reading, Runnable news) {
    this.reading = reading;
    this.news = news;
  }

  /// Asks for a batch, unless one is there or on its way.
  void ask() {
    synchronized (this) {
      if (asked || !items.isEmpty() || end != null || failure != null) {
        return;
      }
      asked = true;
    }
    reading.next(this);
  }

  /// The next item; null when there is none now, and then a batch has been asked for, or [#end] or [#failure] tells.
  @Nullable LogItem poll() {
    synchronized (this) {
      LogItem item = items.poll();
      if (item != null) {
        return item;
      }
    }
    ask();
    return null;
  }

  /// Behind the last item; null before.
  synchronized LogReading.@Nullable End end() {
    return items.isEmpty() ? end : null;
  }

  /// Behind the last item; null while all is well.
  synchronized @Nullable LogFailure failure() {
    return items.isEmpty() ? failure : null;
  }

  LogReading reading() {
    return reading;
  }

  @Override
  public void batch(List<LogItem> batch) {
    synchronized (this) {
      items.addAll(batch);
      asked = false;
    }
    news.run();
  }

  @Override
  public void end(LogReading.End how) {
    synchronized (this) {
      end = how;
    }
    news.run();
  }

  @Override
  public void failed(LogFailure why) {
    synchronized (this) {
      failure = why;
    }
    news.run();
  }

  @Override
  public void close() {
    reading.close();
  }
}
