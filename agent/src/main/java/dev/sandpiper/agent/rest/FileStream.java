package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.filesystem.FileCallback;
import dev.sandpiper.agent.filesystem.FileFailure;
import dev.sandpiper.agent.filesystem.FileWork;
import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import java.util.function.LongConsumer;

/// Sends a file up to its end, wherever that is, packed or as it is: a thread for files fills a buffer, the event loop sends
/// it, and asks for the next when the client takes more. So one buffer is in the making, and what waits to be sent is
/// bounded by the exchange.
///
/// Where a file has nothing at the moment (a FIFO, a terminal) it is asked again; after a minute of that the response ends
/// broken off.
final class FileStream implements HttpExchange.Listener {
  private static final int BUFFER_BYTES = 64 * 1024 - 128; // with the framing a piece of 64 KiB
  private static final long RETRY_MILLIS = 50;
  private static final long MAX_RETRIES = TimeUnit.MINUTES.toMillis(1) / RETRY_MILLIS;

  private final HttpExchange exchange;
  private final FileWork work;
  private final User user;
  private final FileFiller filler;
  private final LongConsumer sentWhole;

  // The event loop's.
  private boolean filling;
  private boolean ended;
  private long retries;
  private long bytes;

  FileStream(
      HttpExchange exchange, FileWork work, User user, FileFiller filler, LongConsumer sentWhole) {
    this.sentWhole = sentWhole;
    this.exchange = exchange;
    this.work = work;
    this.user = user;
    this.filler = filler;
  }

  /// On the event loop.
  ///
  /// @param buffer the beginning; taken over
  /// @param begun how it went
  void start(ByteBuf buffer, FileFiller.Step begun) {
    filled(buffer, begun);
  }

  @Override
  public void onWritable() {
    fill();
  }

  private void fillAgain() {
    fill();
  }

  private void fill() {
    if (filling || ended || exchange.isFinished() || !exchange.isWritable()) {
      return;
    }
    filling = true;
    ByteBuf buffer = exchange.newBuffer(BUFFER_BYTES);
    work.submit(
        user,
        () -> fill(buffer),
        new FileCallback<FileFiller.Step>() {
          @Override
          public void done(FileFiller.Step step) {
            exchange.eventLoop().execute(() -> filled(buffer, step));
          }

          @Override
          public void failed(FileFailure failure) {
            exchange.eventLoop().execute(() -> broken(buffer, failure));
          }
        });
  }

  private void filled(ByteBuf buffer, FileFiller.Step step) {
    filling = false;
    if (exchange.isFinished()) {
      buffer.release();
      close();
      return;
    }
    retries = buffer.isReadable() ? 0 : retries + 1;
    bytes += buffer.readableBytes();
    exchange.write(buffer);
    switch (step) {
      case MORE -> fill();
      case NOTHING_NOW -> {
        if (retries > MAX_RETRIES) {
          exchange.abort();
        } else {
          var _ =
              exchange.eventLoop().schedule(this::fillAgain, RETRY_MILLIS, TimeUnit.MILLISECONDS);
        }
      }
      case END -> {
        close();
        exchange.end();
        sentWhole.accept(bytes);
      }
    }
  }

  private void broken(ByteBuf buffer, FileFailure failure) {
    filling = false;
    buffer.release();
    if (failure.kind() == FileFailure.Kind.LIMIT && !exchange.isFinished()) {
      var _ = exchange.eventLoop().schedule(this::fillAgain, RETRY_MILLIS, TimeUnit.MILLISECONDS);
    } else {
      close();
      exchange.abort(); // what was sent looks like a beginning, and must not look like a whole
    }
  }

  private void close() {
    if (!ended) {
      ended = true;
      filler.close();
    }
  }

  @Override
  public void onAborted() {
    if (!filling) {
      close();
    }
  }

  @Override
  public void onData(ByteBuf data) {}

  @Override
  public void onEnd(Headers trailers) {}

  // A thread for files.

  private FileFiller.Step fill(ByteBuf buffer) throws FileFailure {
    ByteBuffer room = buffer.internalNioBuffer(buffer.writerIndex(), BUFFER_BYTES);
    int before = room.position();
    FileFiller.Step step = filler.fill(room);
    buffer.writerIndex(buffer.writerIndex() + room.position() - before);
    return step;
  }
}
