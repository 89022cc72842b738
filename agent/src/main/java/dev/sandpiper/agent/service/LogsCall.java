package dev.sandpiper.agent.service;

import dev.sandpiper.agent.logs.LogFailure;
import dev.sandpiper.agent.logs.LogItem;
import dev.sandpiper.agent.logs.LogReading;
import dev.sandpiper.proto.v1.LogEnd;
import dev.sandpiper.proto.v1.LogHeartbeat;
import dev.sandpiper.proto.v1.LogResponse;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// One answer of `Query`: the reading's batches at the client's own pace, heartbeats where nothing else is sent, and the end.
/// One batch waits here at most; the next is asked for when it has been sent.
///
/// All of it runs on the call's executor, the socket's event loop, but for what the reading tells, which goes there first.
final class LogsCall implements Following, LogReading.Receiver {
  /// Entries sent in one go before other connections of the same loop get their turn.
  private static final int MESSAGES_PER_TURN = 64;

  /// Half of what proxies allow an idle connection by default.
  private static final Duration LONGEST_SILENCE = Duration.ofSeconds(30);

  private final ServerCall<?, LogResponse> call;
  private final ScheduledExecutorService executor;
  private final long heartbeatNanos;
  private final Queue<LogItem> items = new ArrayDeque<>();
  private @Nullable LogReading reading;
  private @Nullable ScheduledFuture<?> heartbeat;
  private boolean asked;
  private long lastSentNanos;
  private boolean closed;

  LogsCall(ServerCall<?, LogResponse> call, Metadata headers) {
    this.call = call;
    this.executor = Calls.executor(call);
    this.heartbeatNanos =
        Math.min(Keepalive.interval(headers).toNanos(), LONGEST_SILENCE.toNanos());
  }

  void begin(LogReading from) {
    if (closed) {
      from.close();
      return;
    }
    reading = from;
    call.sendHeaders(new Metadata());
    lastSentNanos = System.nanoTime();
    heartbeat = executor.schedule(this::beat, heartbeatNanos, TimeUnit.NANOSECONDS);
    pump();
  }

  @Override
  public void batch(List<LogItem> found) {
    executor.execute(() -> {
      asked = false;
      items.addAll(found);
      pump();
    });
  }

  @Override
  public void end(LogReading.End end) {
    executor.execute(() -> {
      if (closed) {
        return;
      }
      LogEnd.Builder last = LogEnd.newBuilder().setMore(end.more());
      end.position().ifPresent(position -> last.setCursor(position.token()));
      send(LogResponse.newBuilder().setEnd(last).build());
      close(Status.OK);
    });
  }

  @Override
  public void failed(LogFailure failure) {
    executor.execute(() -> close(LogMessages.status(failure)));
  }

  @Override
  public void pump() {
    LogReading from = reading;
    if (closed || from == null) {
      return;
    }
    for (int sent = 0; !items.isEmpty() && call.isReady(); sent++) {
      if (sent == MESSAGES_PER_TURN) {
        executor.execute(this::pump);
        return;
      }
      send(LogMessages.item(items.remove()));
    }
    if (items.isEmpty() && !asked && call.isReady()) {
      asked = true;
      from.next(this);
    }
  }

  private void beat() {
    LogReading from = reading;
    if (closed || from == null) {
      return;
    }
    long due = lastSentNanos + heartbeatNanos - System.nanoTime();
    if (due <= 0) {
      if (call.isReady()) { // else what waits for the client says that the call lives
        LogHeartbeat.Builder beat = LogHeartbeat.newBuilder();
        // Not beyond what was sent: while something waits here, the reading is ahead of the client.
        if (items.isEmpty()) {
          from.position().ifPresent(position -> beat.setCursor(position.token()));
        }
        send(LogResponse.newBuilder().setHeartbeat(beat).build());
      }
      due = heartbeatNanos;
    }
    heartbeat = executor.schedule(this::beat, due, TimeUnit.NANOSECONDS);
  }

  private void send(LogResponse message) {
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
    items.clear();
    LogReading from = reading;
    if (from != null) {
      reading = null;
      from.close();
    }
    if (heartbeat != null) {
      heartbeat.cancel(false);
      heartbeat = null;
    }
  }
}
