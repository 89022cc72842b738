package dev.sandpiper.agent.rpc;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import io.grpc.Attributes;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.SecurityLevel;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.netty.buffer.ByteBuf;
import io.netty.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One call, whatever its wire format: demand and writability, deadline, cancellation, failures. A wire format says how
/// a head, a message and an end look ([#writeHead], [#writeMessage], [#writeEnd]) and how the body is cut into messages.
///
/// The engine's half runs on the event loop, the service's on the [CallExecutor]. Services may call `ServerCall`'s
/// methods from any thread, one at a time; messages are encoded on the calling thread.
///
/// | from | event | to |
/// |---|---|---|
/// | running | the service closes | closed, `onComplete` |
/// | running | deadline, broken request, the service throws | closed, `onCancel` |
/// | running | the client cancels or is gone | cancelled, `onCancel` |
public abstract class RpcCall extends ServerCall<Object, Object> implements HttpExchange.Listener {
  private static final Logger log = LoggerFactory.getLogger("rpc");

  /// For a service that failed to start.
  private static final ServerCall.Listener<Object> NOBODY = new ServerCall.Listener<>() {};

  private static final int OFF_LOOP_MAX_BYTES = 256 * 1024;

  /// A client with a clock of its own has rounded its timeout down to send it, and gives up when the exact one is over.
  /// Our answer should not reach it just then, or it is read by half; a client without a clock does not mind.
  private static final long DEADLINE_GRACE_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  static final int JSON_PAYLOAD_BYTES = 24 * 1024; // 32 KiB of base64
  private static final int BINARY_PAYLOAD_BYTES = 32 * 1024;

  protected final HttpExchange exchange;
  protected final RpcMethod method;
  protected final Codec codec;
  private final CallInput input;
  private final Context.CancellableContext context;
  private final CallExecutor executor;
  private final Attributes attributes;
  private final @Nullable Future<?> deadlineTimer;
  private ServerCall.@Nullable Listener<Object> listener; // the executor's

  private boolean headWritten;
  private boolean messageSent;
  private @Nullable Metadata head;

  /// Encoded messages on their way to the event loop. Counted into `isReady`, so bounded by what a service that minds it
  /// sends.
  private final AtomicInteger offLoopBytes = new AtomicInteger();

  private volatile boolean closed;
  private volatile boolean cancelled;

  /// @param deadline null for none
  // Executor, timer and input only keep `this`: nothing runs before `start`, on this same thread.
  @SuppressWarnings("this-escape")
  protected RpcCall(
      HttpExchange exchange,
      RpcMethod method,
      Codec codec,
      MessageReader reader,
      @Nullable Deadline deadline) {
    this.exchange = exchange;
    this.method = method;
    this.codec = codec;
    this.input = new CallInput(exchange, reader, method, new Received());
    if (deadline == null) {
      context = method.context().withCancellation();
      deadlineTimer = null;
    } else {
      context = method.context().withDeadline(deadline, exchange.eventLoop());
      long nanos = Math.max(0, deadline.timeRemaining(TimeUnit.NANOSECONDS)) + DEADLINE_GRACE_NANOS;
      deadlineTimer =
          exchange.eventLoop().schedule(this::deadlineExceeded, nanos, TimeUnit.NANOSECONDS);
    }
    executor =
        new CallExecutor(exchange.eventLoop(), method.dispatch(), context, this::serviceFailed);
    attributes =
        RpcAttributes.of(
            exchange,
            executor,
            codec.isJson() ? JSON_PAYLOAD_BYTES : BINARY_PAYLOAD_BYTES,
            codec.isJson());
  }

  // What a wire format says.

  /// Sends the response's head. Not called for a call that fails before it.
  protected abstract void writeHead(Metadata headers);

  /// Encodes a message into what [#writeMessage] sends. Any thread.
  protected abstract ByteBuf encode(Object message);

  protected abstract void writeMessage(ByteBuf encoded);

  /// Sends a payload message; consumes it. Any thread, so it hops itself; see [#onLoop].
  protected abstract void sendPayload(PayloadMessage message);

  /// Sends a message that is encoded already; consumes it. Any thread, so it hops itself; see [#onLoop].
  protected abstract void sendWhole(EncodedMessage message);

  /// Ends the response. `head` is null if it was written already.
  protected abstract void writeEnd(@Nullable Metadata head, Status status, Metadata trailers);

  /// The call is over without [#writeEnd]: lets go of what was kept for it.
  protected void dropped() {}

  /// A payload message as one array, for wire formats without envelopes.
  protected final byte[] materialise(PayloadMessage message) {
    return PayloadWriter.materialise(message, codec.isJson());
  }

  // The request.

  /// Starts the service and reads the request. On the event loop, once.
  public final void start(Metadata headers) {
    method.counts().began();
    executor.run(() -> listener = method.handler().startCall(this, headers));
    executor.run(() -> listener().onReady());
    exchange.listen(this);
    input.pump();
  }

  private ServerCall.Listener<Object> listener() {
    ServerCall.Listener<Object> started = listener;
    return started == null ? NOBODY : started;
  }

  @Override
  public final void request(int messages) {
    onLoop(() -> input.request(messages));
  }

  @Override
  public final void onData(ByteBuf data) {
    input.data(data);
  }

  @Override
  public final void onEnd(Headers trailers) {
    input.end();
  }

  private final class Received implements CallInput.Sink {
    @Override
    public boolean isOver() {
      return RpcCall.this.isOver();
    }

    @Override
    public void message(byte[] bytes) {
      executor.run(() -> deliver(bytes));
    }

    @Override
    public void halfClose() {
      executor.run(() -> {
        if (!isOver()) {
          listener().onHalfClose();
        }
      });
    }

    @Override
    public void refuse(Status status) {
      RpcCall.this.refuse(status);
    }
  }

  private void deliver(byte[] bytes) {
    Object message;
    try {
      message = method.largeMessages().decode(bytes.length, () -> codec.decode(method, bytes));
    } catch (StatusRuntimeException e) {
      onLoop(() -> refuse(e.getStatus()));
      return;
    } finally {
      if (bytes.length > LargeMessages.SMALL_BYTES) {
        onLoop(input::decoded);
      }
    }
    if (!isOver()) {
      listener().onMessage(message);
    }
  }

  // The response.

  @Override
  public final void sendHeaders(Metadata headers) {
    onLoop(() -> {
      if (head != null || headWritten) {
        throw new IllegalStateException("headers were sent already");
      }
      head = headers;
      if (!isOver() && writesHeadEarly()) {
        flushHead();
      }
    });
  }

  /// Whether the head leaves with `sendHeaders` rather than with the end. Not for a unary Connect response, whose
  /// status is known only then.
  protected boolean writesHeadEarly() {
    return true;
  }

  private void flushHead() {
    Metadata headers = head;
    if (!headWritten) {
      headWritten = true;
      writeHead(headers == null ? new Metadata() : headers);
    }
  }

  @Override
  public final void sendMessage(Object message) {
    if (isOver()) {
      if (message instanceof PayloadMessage payload) {
        payload.release();
      } else if (message instanceof EncodedMessage encoded) {
        encoded.release();
      }
      return; // whoever called has been or will be told by onCancel
    }
    if (message instanceof PayloadMessage payload) {
      sendPayload(payload);
      return;
    }
    if (message instanceof EncodedMessage encoded) {
      sendWhole(encoded);
      return;
    }
    sendEncoded(encode(message));
  }

  /// Hands an encoded message over to the event loop. Any thread.
  protected final void sendEncoded(ByteBuf encoded) {
    if (exchange.eventLoop().inEventLoop()) {
      writeOrDrop(encoded);
      return;
    }
    int bytes = encoded.readableBytes();
    offLoopBytes.addAndGet(bytes);
    onLoop(() -> {
      boolean wasFull = offLoopBytes.getAndAdd(-bytes) > OFF_LOOP_MAX_BYTES;
      writeOrDrop(encoded);
      if (wasFull && offLoopBytes.get() <= OFF_LOOP_MAX_BYTES) {
        onWritable();
      }
    });
  }

  private void writeOrDrop(ByteBuf encoded) {
    if (isOver()) {
      encoded.release();
      return;
    }
    beforeMessage();
    writeMessage(encoded);
  }

  /// To be called before a message is written, on the event loop.
  protected final void beforeMessage() {
    if (messageSent && method.descriptor().getType().serverSendsOneMessage()) {
      throw new IllegalStateException("a second response to a call that has one");
    }
    messageSent = true;
    if (writesHeadEarly()) {
      flushHead();
    }
  }

  @Override
  public final void close(Status status, Metadata trailers) {
    onLoop(() -> {
      if (isOver()) {
        return;
      }
      boolean incomplete =
          status.isOk() && !messageSent && method.descriptor().getType().serverSendsOneMessage();
      if (incomplete) {
        log.error("{} completed without a response", method.path());
      }
      end(
          incomplete ? Status.INTERNAL.withDescription("completed without a response") : status,
          trailers);
      executor.run(() -> listener().onComplete());
      context.cancel(null);
    });
  }

  /// Ends the call from this side against the service's will.
  protected final void refuse(Status status) {
    refuse(status, new Metadata());
  }

  private void refuse(Status status, Metadata trailers) {
    if (isOver()) {
      return;
    }
    end(status, trailers);
    cancelService(status);
  }

  private void end(Status status, Metadata trailers) {
    closed = true;
    input.close();
    method.counts().ended(status.getCode());
    if (deadlineTimer != null) {
      deadlineTimer.cancel(false);
    }
    Metadata headers = head;
    writeEnd(headWritten ? null : headers == null ? new Metadata() : headers, status, trailers);
  }

  private void cancelService(Status status) {
    context.cancel(status.asRuntimeException());
    executor.run(() -> listener().onCancel());
  }

  private void deadlineExceeded() {
    refuse(Status.DEADLINE_EXCEEDED.withDescription("context deadline exceeded"));
  }

  /// The service threw. It may throw a status on purpose; anything else is a defect.
  private void serviceFailed(Throwable cause) {
    Status status;
    Metadata trailers = null;
    if (cause instanceof StatusRuntimeException e) {
      status = e.getStatus();
      trailers = e.getTrailers();
    } else if (cause instanceof StatusException e) {
      status = e.getStatus();
      trailers = e.getTrailers();
    } else {
      if (isOver()) {
        log.debug("{} failed after its end", method.path(), cause);
        return;
      }
      log.error("{} failed", method.path(), cause);
      status = Status.INTERNAL.withDescription("internal error");
    }
    Metadata sent = trailers == null ? new Metadata() : trailers;
    onLoop(() -> refuse(status, sent));
  }

  /// The engine's own half threw; the exchange has logged it.
  @Override
  public final void onFailure(Throwable cause) {
    refuse(Status.INTERNAL.withDescription("internal error"));
  }

  @Override
  public final void onWritable() {
    executor.run(() -> {
      if (isReady()) {
        listener().onReady();
      }
    });
  }

  @Override
  public final void onAborted() {
    if (isOver()) {
      return;
    }
    cancelled = true;
    input.close();
    method.counts().ended(Status.Code.CANCELLED);
    dropped();
    if (deadlineTimer != null) {
      deadlineTimer.cancel(false);
    }
    cancelService(Status.CANCELLED.withDescription("the client has gone"));
  }

  /// Runs on the event loop: now if this is it. What the task throws fails the exchange instead of vanishing.
  protected final void onLoop(Runnable task) {
    if (exchange.eventLoop().inEventLoop()) {
      task.run();
      return;
    }
    exchange
        .eventLoop()
        .execute(() -> {
          try {
            task.run();
          } catch (Throwable e) {
            exchange.fail(e);
          }
        });
  }

  // Facts.

  /// Whether nothing may be sent any more.
  protected final boolean isOver() {
    return closed || cancelled;
  }

  @Override
  public final boolean isReady() {
    return !closed
        && !cancelled
        && exchange.isWritable()
        && offLoopBytes.get() <= OFF_LOOP_MAX_BYTES;
  }

  @Override
  public final boolean isCancelled() {
    return cancelled || (closed && context.isCancelled());
  }

  @Override
  public final MethodDescriptor<Object, Object> getMethodDescriptor() {
    return method.descriptor();
  }

  @Override
  public final Attributes getAttributes() {
    return attributes;
  }

  @Override
  public final @Nullable String getAuthority() {
    return exchange.requestHeaders().get("host");
  }

  @Override
  public final SecurityLevel getSecurityLevel() {
    return exchange.isSecure() ? SecurityLevel.PRIVACY_AND_INTEGRITY : SecurityLevel.NONE;
  }
}
