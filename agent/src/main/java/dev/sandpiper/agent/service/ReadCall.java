package dev.sandpiper.agent.service;

import dev.sandpiper.agent.output.Cursor;
import dev.sandpiper.agent.output.Cursor.Step;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessEnd;
import dev.sandpiper.proto.v1.Gap;
import dev.sandpiper.proto.v1.Heartbeat;
import dev.sandpiper.proto.v1.ReadEnd;
import dev.sandpiper.proto.v1.ReadResponse;
import dev.sandpiper.proto.v1.ReadStart;
import dev.sandpiper.proto.v1.StreamPosition;
import dev.sandpiper.proto.v1.StreamTotal;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/// One answer of `Read`: start, what the log has from a place on, gaps where retention was faster, heartbeats, end.
///
/// It pulls from the log while the client takes it and waits for the log or for the socket otherwise; nothing is buffered
/// here, so a slow client costs a few messages of memory, holds no command, and is told what it missed. All of it runs on the
/// call's executor, the socket's event loop.
final class ReadCall implements Following {
  /// Messages sent in one go before other connections of the same loop get their turn: half a MiB of output.
  private static final int MESSAGES_PER_TURN = 16;

  /// How to read.
  ///
  /// @param live whether what is printed later is read too
  /// @param checksum whether the totals have one
  record Options(boolean live, boolean checksum, Duration heartbeat) {}

  /// Of one stream.
  private static final class Total {
    final @Nullable CRC32C checksum;
    long bytes;
    long gapBytes;

    /// Where reading ends when it is not live.
    final long until;

    Total(boolean summed, long until) {
      this.checksum = summed ? new CRC32C() : null;
      this.until = until;
    }
  }

  private final ServerCall<?, Object> call;
  private final ScheduledExecutorService executor;
  private final int payloadBytes;
  private final Map<StreamName, Total> totals = new EnumMap<>(StreamName.class);
  private boolean live;
  private long heartbeatNanos;
  private @Nullable ManagedProcess process;
  private @Nullable Cursor cursor;
  private @Nullable ScheduledFuture<?> heartbeat;
  private boolean beganBehindTheEnd;
  private long sequence;
  private long lastSentNanos;
  private boolean closed;

  ReadCall(ServerCall<?, Object> call) {
    this.call = call;
    this.executor = Calls.executor(call);
    this.payloadBytes = Calls.payloadBytes(call);
  }

  /// Sends the start and begins to read. Closes the cursor when the call is gone already.
  ///
  /// @param streams those that the cursor reads
  void begin(ManagedProcess read, Cursor from, Set<StreamName> streams, Options options) {
    if (closed) {
      from.close();
      return;
    }
    process = read;
    cursor = from;
    live = options.live();
    OutputLog log = read.log();
    ProcessEnd end = read.end();
    for (StreamName stream : streams) {
      totals.put(stream, new Total(options.checksum(), log.endOffset(stream)));
      beganBehindTheEnd |= end != null && from.offset(stream) > end.bytes(stream);
    }
    call.sendHeaders(new Metadata());
    send(
        ReadResponse.newBuilder()
            .setStart(
                ReadStart.newBuilder()
                    .setProcess(ProcessInfos.of(read))
                    .addAllPositions(positions(from))));
    from.onWake(() -> executor.execute(this::pump));
    heartbeatNanos = options.heartbeat().toNanos();
    heartbeat = executor.schedule(this::beat, heartbeatNanos, TimeUnit.NANOSECONDS);
    pump();
  }

  private List<StreamPosition> positions(Cursor from) {
    List<StreamPosition> positions = new ArrayList<>(totals.size());
    for (StreamName stream : totals.keySet()) {
      positions.add(
          StreamPosition.newBuilder()
              .setStream(WireStreams.of(stream))
              .setOffset(from.offset(stream))
              .build());
    }
    return positions;
  }

  @Override
  public void pump() {
    Cursor from = cursor;
    if (closed || from == null) {
      return;
    }
    for (int sent = 0; call.isReady(); sent++) {
      if (sent == MESSAGES_PER_TURN) {
        executor.execute(this::pump);
        return;
      }
      if (!live && reachedAll(from)) {
        end(from);
        return;
      }
      switch (from.peek(payloadBytes)) {
        case Step.Data data -> data(from, data);
        case Step.Gap gap -> gap(from, gap);
        case Step.Mark _ -> {
          if (live && !beganBehindTheEnd) {
            end(from);
            return;
          }
          from.skipMark();
        }
        case Step.Idle _ -> {
          return;
        }
        case Step.Drained _ -> {
          ManagedProcess of = process;
          if (of != null && of.end() != null) {
            end(from);
          }
          return; // else its end is not known yet, and wakes this call
        }
        case Step.Stalled stalled -> {
          close(
              Status.INTERNAL.withDescription("a reader was ended that holds nothing: " + stalled));
          return;
        }
      }
    }
  }

  private boolean reachedAll(Cursor from) {
    for (Map.Entry<StreamName, Total> entry : totals.entrySet()) {
      if (from.offset(entry.getKey()) < entry.getValue().until) {
        return false;
      }
    }
    return true;
  }

  private void data(Cursor from, Step.Data data) {
    Total total = total(data.stream());
    // What was printed since the call began belongs to a later one.
    long wanted = live ? data.length() : Math.min(data.length(), total.until - data.offset());
    if (wanted <= 0) {
      from.advance(data.length());
      return;
    }
    int length = (int) wanted;
    sendAny(new ReadData(from, data, length, ++sequence, total.checksum));
    total.bytes += length;
    from.advance(length);
  }

  private void gap(Cursor from, Step.Gap gap) {
    Total total = total(gap.stream());
    long end = live ? gap.end() : Math.min(gap.end(), total.until);
    if (end > gap.start()) {
      send(
          ReadResponse.newBuilder()
              .setGap(
                  Gap.newBuilder()
                      .setStream(WireStreams.of(gap.stream()))
                      .setStartOffset(gap.start())
                      .setEndOffset(end)
                      .setSequence(++sequence)));
      total.gapBytes += end - gap.start();
    }
    from.skipGap();
  }

  private Total total(StreamName stream) {
    Total total = totals.get(stream);
    if (total == null) {
      throw new IllegalStateException("nobody asked for " + stream.text());
    }
    return total;
  }

  private void end(Cursor from) {
    ReadEnd.Builder end = ReadEnd.newBuilder();
    totals.forEach((stream, total) -> {
      long at = from.offset(stream);
      StreamTotal.Builder message =
          StreamTotal.newBuilder()
              .setStream(WireStreams.of(stream))
              .setOffset(live ? at : Math.min(at, total.until))
              .setBytes(total.bytes)
              .setGapBytes(total.gapBytes);
      if (total.checksum != null) {
        message.setCrc32C((int) total.checksum.getValue());
      }
      end.addTotals(message);
    });
    ProcessEnd how = process == null ? null : process.end();
    if (how != null) {
      end.setEnd(ProcessInfos.end(how));
    }
    send(ReadResponse.newBuilder().setEnd(end));
    close(Status.OK);
  }

  private void beat() {
    Cursor from = cursor;
    if (closed || from == null) {
      return;
    }
    long due = lastSentNanos + heartbeatNanos - System.nanoTime();
    if (due <= 0) {
      // What waits for a client that does not read says that the call lives; more of it would only
      // pile up.
      if (call.isReady()) {
        send(
            ReadResponse.newBuilder()
                .setHeartbeat(Heartbeat.newBuilder().addAllPositions(positions(from))));
      }
      due = heartbeatNanos;
    }
    heartbeat = executor.schedule(this::beat, due, TimeUnit.NANOSECONDS);
  }

  private void send(ReadResponse.Builder message) {
    sendAny(message.build());
  }

  private void sendAny(Object message) {
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
    if (heartbeat != null) {
      heartbeat.cancel(false);
      heartbeat = null;
    }
  }
}
