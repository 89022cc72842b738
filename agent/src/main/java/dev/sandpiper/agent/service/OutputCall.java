package dev.sandpiper.agent.service;

import dev.sandpiper.agent.output.Cursor;
import dev.sandpiper.agent.output.Cursor.Step;
import dev.sandpiper.agent.process.EndCause;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessEnd;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// One client that follows one process: `start`, then the output log from its cursor on, then `end`, at the client's own
/// pace. It pulls from the log while the call is ready and waits for the log or for the socket otherwise; nothing is
/// buffered here.
///
/// All of it runs on the call's executor, the socket's event loop.
final class OutputCall implements Following {
  /// Messages sent in one go before other connections of the same loop get their turn: half a MiB of output.
  private static final int MESSAGES_PER_TURN = 16;

  private final ServerCall<?, Object> call;
  private final ScheduledExecutorService executor;
  private final int payloadBytes;
  private final long keepaliveNanos;
  private final boolean ownsTimeLimit;
  private @Nullable ManagedProcess process;
  private @Nullable Cursor cursor;
  private @Nullable ScheduledFuture<?> keepalive;
  private long lastSentNanos;
  private boolean closed;

  /// @param ownsTimeLimit whether the process's time limit is this call's own, so that its end is `deadline_exceeded`
  OutputCall(ServerCall<?, Object> call, Metadata headers, boolean ownsTimeLimit) {
    this.call = call;
    this.executor = Calls.executor(call);
    this.payloadBytes = Calls.payloadBytes(call);
    this.keepaliveNanos = Keepalive.interval(headers).toNanos();
    this.ownsTimeLimit = ownsTimeLimit;
  }

  /// Sends `start` and begins to follow. Closes the cursor when the call is gone already.
  void begin(ManagedProcess followed, Cursor from) {
    if (closed) {
      from.close();
      return;
    }
    process = followed;
    cursor = from;
    call.sendHeaders(new Metadata());
    send(ProcessMessages.start(followed.pid()));
    from.onWake(() -> executor.execute(this::pump));
    keepalive = executor.schedule(this::keepalive, keepaliveNanos, TimeUnit.NANOSECONDS);
    pump();
  }

  /// Answers with the end of a process that is no longer live.
  void replay(int pid, ProcessEnd end) {
    if (closed) {
      return;
    }
    call.sendHeaders(new Metadata());
    send(ProcessMessages.start(pid));
    send(ProcessMessages.end(end));
    close(Status.OK);
  }

  @Override
  public void pump() {
    Cursor from = cursor;
    if (closed || from == null) {
      return;
    }
    // A client that takes nothing is not asked for readiness when its patience has run out.
    for (int sent = 0; call.isReady() || from.isStalled(); sent++) {
      if (sent == MESSAGES_PER_TURN) {
        executor.execute(this::pump);
        return;
      }
      switch (from.peek(payloadBytes)) {
        case Step.Data(var stream, long _, int length, long _, long _) -> {
          send(ProcessMessages.data(from, stream, length));
          from.advance(length);
        }
        case Step.Idle _, Step.Drained _ -> {
          return;
        }
        case Step.Mark _ -> {
          end();
          return;
        }
        case Step.Gap(var stream, long start, long end) -> {
          close(
              Status.DATA_LOSS.withDescription(
                  "bytes "
                      + start
                      + " to "
                      + end
                      + " of "
                      + stream.text()
                      + " were removed from the output log before this client read them"));
          return;
        }
        case Step.Stalled(var stream, long offset) -> {
          close(
              Status.RESOURCE_EXHAUSTED.withDescription(
                  "this client read too slowly for too long and was ended at byte "
                      + offset
                      + " of "
                      + stream.text()
                      + "; the process goes on"));
          return;
        }
      }
    }
  }

  private void end() {
    ProcessEnd end = process == null ? null : process.end();
    if (end == null) {
      close(Status.INTERNAL.withDescription("the log holds an end that its process does not"));
    } else if (ownsTimeLimit && end.cause() == EndCause.TIME_LIMIT) {
      close(Status.DEADLINE_EXCEEDED.withDescription("context deadline exceeded"));
    } else {
      send(ProcessMessages.end(end));
      close(Status.OK);
    }
  }

  private void keepalive() {
    if (closed) {
      return;
    }
    long due = lastSentNanos + keepaliveNanos - System.nanoTime();
    if (due <= 0) {
      // What waits for a client that does not read says that the call lives; more of it would only
      // pile up.
      if (call.isReady()) {
        send(ProcessMessages.keepalive());
      }
      due = keepaliveNanos;
    }
    keepalive = executor.schedule(this::keepalive, due, TimeUnit.NANOSECONDS);
  }

  private void send(Object message) {
    call.sendMessage(message);
    lastSentNanos = System.nanoTime();
  }

  @Override
  public void close(Status status) {
    if (closed) {
      return;
    }
    release();
    call.close(status, new Metadata());
  }

  @Override
  public void release() {
    closed = true;
    if (cursor != null) {
      cursor.close();
      cursor = null;
    }
    if (keepalive != null) {
      keepalive.cancel(false);
      keepalive = null;
    }
  }
}
