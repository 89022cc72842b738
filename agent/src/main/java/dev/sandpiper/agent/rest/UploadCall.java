package dev.sandpiper.agent.rest;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.filesystem.FileCallback;
import dev.sandpiper.agent.filesystem.FileFailure;
import dev.sandpiper.agent.filesystem.FileFailure.Kind;
import dev.sandpiper.agent.filesystem.FileWork;
import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.rest.UploadBody.Written;
import dev.sandpiper.agent.telemetry.Counters;
import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// One `POST /files` whose body is on its way from the socket into files.
///
/// The event loop puts pieces into a queue and asks for more while there is room; a task of [FileWork] takes them out and
/// ends when the queue is empty. So an upload that waits for its client holds no thread, one that waits for its disk holds
/// at most the queue in memory, and a small one, whose pieces are all there at the end of the event loop's turn, is one
/// task. The task runs with the rights of the user, and one task at a time, which makes [UploadBody] single-threaded.
final class UploadCall implements HttpExchange.Listener {
  /// Bound of the queue, but for the piece that goes beyond it; when full, the socket is not read.
  private static final int QUEUE_BYTES = 512 * 1024;

  /// How much one task writes before others get their turn.
  private static final int TASK_BYTES = 16 * 1024 * 1024;

  private static final Duration RETRY = Duration.ofMillis(10);

  private final HttpExchange exchange;
  private final Counters counters;
  private final FileWork work;
  private final User user;
  private final UploadBody body;
  private final long idleNanos;

  // The event loop's.
  private boolean scheduled;
  private boolean answered;
  private boolean paused;
  private long lastPiece = System.nanoTime();

  private final Object lock = new Object();

  /// What came and was not written yet. Bound: QUEUE_BYTES.
  @GuardedBy("lock")
  private final ArrayDeque<ByteBuf> queue = new ArrayDeque<>();

  @GuardedBy("lock")
  private int queued;

  @GuardedBy("lock")
  private boolean complete;

  @GuardedBy("lock")
  private boolean broken;

  /// Whether a task runs or waits for its turn.
  @GuardedBy("lock")
  private boolean running;

  @GuardedBy("lock")
  private boolean over;

  /// How a task left the upload.
  private sealed interface Step {
    /// The queue was empty.
    record Waiting() implements Step {}

    /// There is more, after others.
    record Yielded() implements Step {}

    /// The client has gone, and nothing of the upload is left.
    record Abandoned() implements Step {}

    record Done(List<Written> files) implements Step {}

    record Refused(Refusal refusal) implements Step {}
  }

  UploadCall(
      HttpExchange exchange,
      FileWork work,
      User user,
      UploadBody body,
      Duration idleLimit,
      Counters counters) {
    this.counters = counters;
    this.exchange = exchange;
    this.work = work;
    this.user = user;
    this.body = body;
    this.idleNanos = idleLimit.toNanos();
  }

  void start() {
    exchange.listen(this);
    exchange.request();
    watchIdle(idleNanos);
  }

  // The event loop.

  @Override
  public void onData(ByteBuf data) {
    lastPiece = System.nanoTime();
    boolean more;
    synchronized (lock) {
      if (over) {
        return;
      }
      queue.add(data.retain());
      queued += data.readableBytes();
      more = queued < QUEUE_BYTES;
    }
    schedule();
    if (more) {
      exchange.request();
    } else {
      paused = true;
    }
  }

  @Override
  public void onEnd(Headers trailers) {
    synchronized (lock) {
      complete = true;
    }
    schedule();
  }

  @Override
  public void onAborted() {
    answered = true;
    breakOff();
  }

  @Override
  public void onFailure(Throwable cause) {
    answered = true; // the exchange answers
    breakOff();
  }

  private void breakOff() {
    synchronized (lock) {
      broken = true;
    }
    schedule();
  }

  /// At the end of the event loop's turn: by then a small body is there whole.
  private void schedule() {
    if (!scheduled) {
      scheduled = true;
      exchange
          .eventLoop()
          .execute(() -> {
            scheduled = false;
            submit();
          });
    }
  }

  private void submit() {
    synchronized (lock) {
      if (running || over || (queue.isEmpty() && !complete && !broken)) {
        return;
      }
      running = true;
    }
    work.submit(
        user,
        this::work,
        new FileCallback<Step>() {
          @Override
          public void done(Step step) {
            exchange.eventLoop().execute(() -> after(step));
          }

          @Override
          public void failed(FileFailure failure) {
            exchange.eventLoop().execute(() -> refusedTask(failure));
          }
        });
  }

  private void after(Step step) {
    switch (step) {
      case Step.Waiting _ -> goOn();
      case Step.Yielded _ -> goOn();
      case Step.Abandoned _ -> {}
      case Step.Done done -> answer(done.files);
      case Step.Refused refused -> answer(refused.refusal);
    }
  }

  private void goOn() {
    lastPiece = System.nanoTime(); // until now it was not the client who was waited for
    boolean room;
    synchronized (lock) {
      running = false;
      room = queued < QUEUE_BYTES / 2;
    }
    if (room) {
      resume();
    }
    submit();
  }

  private void resume() {
    if (paused) {
      paused = false;
      exchange.request();
    }
  }

  /// No thread took the task: there are too many of them now, or the agent stops.
  private void refusedTask(FileFailure failure) {
    boolean begun;
    synchronized (lock) {
      running = false;
      begun = !over;
    }
    if (failure.kind() == Kind.LIMIT && begun) {
      var _ = exchange.eventLoop().schedule(this::submit, RETRY.toMillis(), TimeUnit.MILLISECONDS);
    } else if (begun) {
      clear();
      body.abandon();
      answer(Refusal.of(failure, null));
    }
  }

  private void watchIdle(long nanos) {
    var _ = exchange.eventLoop().schedule(this::checkIdle, nanos, TimeUnit.NANOSECONDS);
  }

  private void checkIdle() {
    boolean ours;
    synchronized (lock) {
      if (over || broken || complete) {
        return;
      }
      ours = !queue.isEmpty() || running;
    }
    long idle = ours ? 0 : System.nanoTime() - lastPiece;
    if (idle < idleNanos) {
      watchIdle(idleNanos - idle);
      return;
    }
    breakOff();
    exchange.extraHeaders().set("connection", "close");
    answer(
        new Refusal(
            408,
            "nothing of the upload has come for "
                + TimeUnit.NANOSECONDS.toMillis(idleNanos)
                + " ms; nothing was written"));
  }

  private void answer(Refusal refusal) {
    if (!answered) {
      answered = true;
      Errors.json(exchange, refusal.status(), refusal.getMessage());
    }
  }

  private void answer(List<Written> files) {
    if (!answered) {
      answered = true;
      StringBuilder json = new StringBuilder(128 * files.size() + 2).append('[');
      for (Written file : files) {
        json.append(json.length() > 1 ? "," : "");
        UploadAnswers.append(json, file.path(), file.metadata());
        counters.fileUploaded(file.bytes());
      }
      exchange.respond(
          200,
          Headers.of("content-type", "application/json"),
          json.append(']').toString().getBytes(StandardCharsets.UTF_8));
    }
  }

  // A thread for files.

  private Step work() {
    Step step;
    try {
      step = drain();
    } catch (Refusal refusal) {
      step = new Step.Refused(refusal);
    } catch (RuntimeException | Error defect) {
      clear();
      body.abandon();
      throw defect;
    }
    if (!(step instanceof Step.Waiting || step instanceof Step.Yielded)) {
      clear();
      body.abandon();
    }
    return step;
  }

  private Step drain() throws Refusal {
    int written = 0;
    while (true) {
      ByteBuf piece;
      boolean roomAgain;
      synchronized (lock) {
        if (broken) {
          return new Step.Abandoned();
        }
        piece = queue.poll();
        if (piece == null) {
          if (!complete) {
            return new Step.Waiting();
          }
        } else if (written > TASK_BYTES) {
          queue.addFirst(piece);
          return new Step.Yielded();
        }
        int before = queued;
        queued -= piece == null ? 0 : piece.readableBytes();
        roomAgain = before >= QUEUE_BYTES / 2 && queued < QUEUE_BYTES / 2;
      }
      if (piece == null) {
        return new Step.Done(body.end());
      }
      if (roomAgain) {
        exchange.eventLoop().execute(this::resume);
      }
      try {
        written += piece.readableBytes();
        body.feed(piece.nioBuffer());
      } finally {
        piece.release();
      }
    }
  }

  /// Lets go of what was not written, and takes nothing any more.
  private void clear() {
    synchronized (lock) {
      over = true;
      queue.forEach(ByteBuf::release);
      queue.clear();
      queued = 0;
    }
  }
}
