package dev.sandpiper.agent.rpc;

import dev.sandpiper.agent.http.HttpExchange;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.netty.buffer.ByteBuf;
import io.netty.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// The request of one call: pulls body while the service wants messages and there is room for them ([LargeMessages]),
/// and says when there are no more. On the event loop only.
final class CallInput {
  /// Where the messages go.
  interface Sink {
    /// Nothing is wanted any more.
    boolean isOver();

    /// The next message, still encoded.
    void message(byte[] bytes);

    /// There are no more.
    void halfClose();

    /// The request breaks its wire format or a limit.
    void refuse(Status status);
  }

  private static final Status NOT_ONE_MESSAGE =
      Status.UNIMPLEMENTED.withDescription("the request must hold exactly one message");

  private static final int TICK_SECONDS = 5;
  private static final int PATIENCE_TICKS = 6;

  /// In one tick: 50 KiB/s, slower than any network that carries large messages.
  private static final int LEAST_BYTES = 256 * 1024;

  private final HttpExchange exchange;
  private final MessageReader reader;
  private final boolean exactlyOne;
  private final LargeMessages largeMessages;
  private final Sink sink;
  private int requested;
  private int received;
  private boolean pulling;
  private boolean pumping;
  private boolean pumpAgain;
  private boolean ended;
  private boolean halfClosed;

  /// What a large message has, or waits for; until it is decoded.
  private LargeMessages.@Nullable Place place;

  private @Nullable Future<?> patience;
  private int waitedTicks;

  /// -1 while there was no room yet.
  private int heldAtTick;

  /// @param method whether it takes exactly one message; another number is then `unimplemented`
  CallInput(HttpExchange exchange, MessageReader reader, RpcMethod method, Sink sink) {
    this.exchange = exchange;
    this.reader = reader;
    this.exactlyOne = method.descriptor().getType().clientSendsOneMessage();
    this.largeMessages = method.largeMessages();
    this.sink = sink;
  }

  void request(int messages) {
    requested = (int) Math.min(Integer.MAX_VALUE, (long) requested + messages);
    pump();
  }

  void data(ByteBuf data) {
    pulling = false;
    read(() -> reader.feed(data));
  }

  void end() {
    ended = true;
    read(reader::end);
  }

  private void read(Runnable step) {
    try {
      if (!sink.isOver()) {
        step.run();
      }
    } catch (StatusRuntimeException e) {
      sink.refuse(e.getStatus());
    }
    pump();
  }

  /// Moves messages from the reader to the service as far as demand and body allow. Pulling body can deliver it at
  /// once, and delivering a message can raise the demand, both from inside: then it goes round again.
  void pump() {
    pumpAgain = true;
    if (pumping) {
      return;
    }
    pumping = true;
    try {
      while (pumpAgain && !sink.isOver()) {
        pumpAgain = false;
        step();
      }
    } catch (StatusRuntimeException e) {
      sink.refuse(e.getStatus());
    } finally {
      pumping = false;
    }
  }

  /// The large message has been decoded: its room is for others. The call goes on with what it asked for meanwhile.
  void decoded() {
    close();
    pump();
  }

  /// Nothing more is read: gives back what was held.
  void close() {
    LargeMessages.Place held = place;
    if (held != null) {
      place = null;
      held.free();
    }
    if (patience != null) {
      patience.cancel(false);
      patience = null;
    }
  }

  /// Whether there is room for what comes next; if not, the call goes on when there is.
  private boolean hasRoom() {
    if (place == null) {
      if (reader.held() <= LargeMessages.SMALL_BYTES
          && !reader.unpacksTo(LargeMessages.ALONE_BYTES)) {
        return true;
      }
      place = largeMessages.ask(wanted(), () -> exchange.eventLoop().execute(this::pump));
      waitedTicks = 0;
      heldAtTick = -1;
      patience = exchange.eventLoop().schedule(this::tick, TICK_SECONDS, TimeUnit.SECONDS);
    }
    return place.isGranted();
  }

  private long wanted() {
    if (reader.length() >= 0) {
      return reader.length();
    }
    try {
      return Long.parseLong(exchange.requestHeaders().get("content-length", ""));
    } catch (NumberFormatException _) {
      return Long.MAX_VALUE; // not told: as much as there can be
    }
  }

  /// Neither waits a call for ever, nor can one that sends nothing keep the room that others wait for.
  private void tick() {
    patience = null;
    if (place == null || sink.isOver()) {
      return;
    }
    if (!place.isGranted()) {
      if (++waitedTicks >= PATIENCE_TICKS) {
        sink.refuse(
            Status.RESOURCE_EXHAUSTED.withDescription(
                "the memory for large requests was taken by others for "
                    + PATIENCE_TICKS * TICK_SECONDS
                    + " s; try again"));
        return;
      }
    } else if (heldAtTick < 0) {
      heldAtTick = reader.held();
    } else if (reader.held() - heldAtTick < LEAST_BYTES && largeMessages.isWanted()) {
      sink.refuse(
          Status.RESOURCE_EXHAUSTED.withDescription(
              "this large request was sent too slowly, "
                  + (reader.held() - heldAtTick)
                  + " bytes in "
                  + TICK_SECONDS
                  + " s, while others waited for its memory"));
      return;
    } else {
      heldAtTick = reader.held();
    }
    patience = exchange.eventLoop().schedule(this::tick, TICK_SECONDS, TimeUnit.SECONDS);
  }

  private void step() {
    if (requested > 0 && !hasRoom()) {
      return;
    }
    byte[] message = requested > 0 ? reader.next() : null;
    if (message != null) {
      requested--;
      received++;
      pumpAgain = true;
      if (exactlyOne && received > 1) {
        sink.refuse(NOT_ONE_MESSAGE);
      } else {
        sink.message(message);
      }
    } else if (ended) {
      if (!halfClosed && reader.isEmpty()) {
        halfClosed = true;
        if (exactlyOne && received == 0) {
          sink.refuse(NOT_ONE_MESSAGE);
        } else {
          sink.halfClose();
        }
      }
    } else if (requested > 0 && !pulling) {
      pulling = true;
      exchange.request();
    }
  }
}
