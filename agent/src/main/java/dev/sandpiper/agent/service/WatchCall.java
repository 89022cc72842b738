package dev.sandpiper.agent.service;

import dev.sandpiper.agent.filesystem.watch.DirectoryWatch;
import dev.sandpiper.agent.filesystem.watch.WatchEvent;
import dev.sandpiper.agent.filesystem.watch.WatchFailure;
import dev.sandpiper.agent.filesystem.watch.Watches;
import dev.sandpiper.proto.filesystem.WatchDirResponse;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// One client that follows one directory: `start`, events at the client's own pace, and a keepalive where nothing else was
/// sent for its interval. What the client does not take waits in the watch, which has a bound; nothing is buffered here.
///
/// All of it runs on the call's executor, the socket's event loop.
final class WatchCall implements Watches.Begun {
  /// Events sent in one go before other connections of the same loop get their turn.
  private static final int EVENTS_PER_TURN = 256;

  private static final WatchDirResponse START =
      WatchDirResponse.newBuilder()
          .setStart(WatchDirResponse.StartEvent.getDefaultInstance())
          .build();
  private static final WatchDirResponse KEEPALIVE =
      WatchDirResponse.newBuilder()
          .setKeepalive(WatchDirResponse.KeepAlive.getDefaultInstance())
          .build();

  private final ServerCall<?, WatchDirResponse> call;
  private final ScheduledExecutorService executor;
  private final long keepaliveNanos;
  private @Nullable DirectoryWatch watch;
  private @Nullable ScheduledFuture<?> keepalive;
  private long lastSentNanos;
  private boolean started;
  private boolean closed;

  WatchCall(ServerCall<?, WatchDirResponse> call, Metadata headers) {
    this.call = call;
    this.executor = Calls.executor(call);
    this.keepaliveNanos = Keepalive.interval(headers).toNanos();
  }

  /// The watch that is about to begin, so that a client that leaves ends it.
  void beginning(DirectoryWatch opened) {
    watch = opened;
    if (closed) {
      opened.close();
    }
  }

  @Override
  public void begun(DirectoryWatch opened) {
    executor.execute(this::start);
  }

  @Override
  public void failed(WatchFailure failure) {
    executor.execute(() -> fail(WatchFailures.status(failure)));
  }

  private void start() {
    DirectoryWatch from = watch;
    if (closed || from == null) {
      return;
    }
    started = true;
    call.sendHeaders(new Metadata());
    send(START);
    from.onWake(() -> executor.execute(this::pump));
    keepalive = executor.schedule(this::keepalive, keepaliveNanos, TimeUnit.NANOSECONDS);
    pump();
  }

  /// Sends what has come for as long as the client takes it.
  void pump() {
    DirectoryWatch from = watch;
    if (closed || !started || from == null) {
      return;
    }
    for (int sent = 0; call.isReady(); sent++) {
      if (sent == EVENTS_PER_TURN) {
        executor.execute(this::pump);
        return;
      }
      WatchEvent event = from.next();
      if (event == null) {
        WatchFailure failure = from.failure();
        if (failure != null) {
          fail(WatchFailures.status(failure));
        }
        return;
      }
      send(WatchDirResponse.newBuilder().setFilesystem(WatchMessages.event(event)).build());
    }
  }

  private void keepalive() {
    if (closed) {
      return;
    }
    long due = lastSentNanos + keepaliveNanos - System.nanoTime();
    if (due <= 0) {
      if (call.isReady()) { // else what waits for the client says that the call lives
        send(KEEPALIVE);
      }
      due = keepaliveNanos;
    }
    keepalive = executor.schedule(this::keepalive, due, TimeUnit.NANOSECONDS);
  }

  private void send(WatchDirResponse message) {
    call.sendMessage(message);
    lastSentNanos = System.nanoTime();
  }

  /// Ends the call with a failure.
  void fail(Status status) {
    if (!closed) {
      release();
      call.close(status, new Metadata());
    }
  }

  /// The client has gone, or the call is complete: the watch ends.
  void release() {
    closed = true;
    if (watch != null) {
      watch.close();
    }
    if (keepalive != null) {
      keepalive.cancel(false);
      keepalive = null;
    }
  }
}
