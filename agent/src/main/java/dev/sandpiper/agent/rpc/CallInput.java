package dev.sandpiper.agent.rpc;

import dev.sandpiper.agent.http.HttpExchange;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.netty.buffer.ByteBuf;

/// The request of one call: pulls body while the service wants messages, and says when there are no more. On the event
/// loop only.
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

  private final HttpExchange exchange;
  private final MessageReader reader;
  private final boolean exactlyOne;
  private final Sink sink;
  private int requested;
  private int received;
  private boolean pulling;
  private boolean pumping;
  private boolean pumpAgain;
  private boolean ended;
  private boolean halfClosed;

  /// @param exactlyOne another number of messages is `unimplemented`
  CallInput(HttpExchange exchange, MessageReader reader, boolean exactlyOne, Sink sink) {
    this.exchange = exchange;
    this.reader = reader;
    this.exactlyOne = exactlyOne;
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

  private void step() {
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
