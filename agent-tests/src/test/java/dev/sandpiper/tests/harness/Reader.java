package dev.sandpiper.tests.harness;

import com.google.protobuf.ByteString;
import dev.sandpiper.proto.v1.Data;
import dev.sandpiper.proto.v1.Gap;
import dev.sandpiper.proto.v1.Offsets;
import dev.sandpiper.proto.v1.ProcessRef;
import dev.sandpiper.proto.v1.ProcessesGrpc;
import dev.sandpiper.proto.v1.ReadEnd;
import dev.sandpiper.proto.v1.ReadRequest;
import dev.sandpiper.proto.v1.ReadResponse;
import dev.sandpiper.proto.v1.ReadStart;
import dev.sandpiper.proto.v1.Stream;
import dev.sandpiper.proto.v1.StreamPosition;
import dev.sandpiper.proto.v1.StreamTotal;
import java.io.ByteArrayOutputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/// A `Read` call of `sandpiper.v1` and what it has brought so far.
///
/// Holds every answer to its promises while it reads: start first, data and gaps of a stream without a hole or an overlap between
/// them, sequences without one, heartbeats that name the place, and an end whose totals and checksums are those of what came.
public final class Reader implements AutoCloseable {
  private final ReadRequest request;
  private final MessageStream<ReadResponse> stream;
  private final Map<Stream, Long> at = new EnumMap<>(Stream.class);
  private final Map<Stream, Long> bytes = new EnumMap<>(Stream.class);
  private final Map<Stream, Long> gapBytes = new EnumMap<>(Stream.class);
  private final Map<Stream, CRC32C> sums = new EnumMap<>(Stream.class);
  private final Map<Stream, ByteArrayOutputStream> kept = new EnumMap<>(Stream.class);
  private final List<Gap> gaps = new ArrayList<>();
  private final List<Data> order = new ArrayList<>();
  private boolean keep = true;
  private @Nullable ReadStart start;
  private @Nullable ReadEnd end;
  private long sequence;
  private int heartbeats;

  public Reader(RpcClient rpc, ReadRequest request) {
    this.request = request;
    this.stream = rpc.serverStream(ProcessesGrpc.getReadMethod(), request, Map.of());
  }

  public static ReadRequest.Builder of(String id) {
    return ReadRequest.newBuilder().setProcess(ProcessRef.newBuilder().setId(id));
  }

  /// Everything that there is and will be.
  public static Reader live(RpcClient rpc, String id) {
    return new Reader(rpc, of(id).setStart(true).setLive(true).build());
  }

  /// Goes on where this one is.
  public Reader resume(RpcClient rpc) {
    ReadRequest.Builder next = request.toBuilder();
    if (start != null) {
      next.setProcess(ProcessRef.newBuilder().setId(id()));
      next.setOffsets(
          Offsets.newBuilder()
              .setStdout(at(Stream.STREAM_STDOUT))
              .setStderr(at(Stream.STREAM_STDERR))
              .setTerminal(at(Stream.STREAM_TERMINAL)));
    }
    Reader reader = new Reader(rpc, next.build());
    reader.keep = keep;
    return reader;
  }

  public Reader withoutKeeping() {
    keep = false;
    return this;
  }

  /// The next message; null behind the end.
  public @Nullable ReadResponse next() {
    try {
      return next(Deadline.PATIENCE);
    } catch (TimeoutException e) {
      throw new AssertionError("no message in " + Deadline.PATIENCE + "; so far: " + this, e);
    }
  }

  public @Nullable ReadResponse next(Duration limit) throws TimeoutException {
    ReadResponse message = stream.next(limit);
    if (message == null) {
      require(end != null, "the call ended well without an end");
      return null;
    }
    require(end == null, "a message behind the end");
    require(
        (start == null) == (message.getEventCase() == ReadResponse.EventCase.START),
        "start comes first and once");
    switch (message.getEventCase()) {
      case START -> {
        start = message.getStart();
        message.getStart().getPositionsList().forEach(this::begin);
      }
      case DATA -> data(message.getData());
      case GAP -> gap(message.getGap());
      case HEARTBEAT -> {
        heartbeats++;
        message
            .getHeartbeat()
            .getPositionsList()
            .forEach(position ->
                require(at(position.getStream()) == position.getOffset(), "heartbeat's place"));
      }
      case END -> end(message.getEnd());
      case EVENT_NOT_SET -> throw new AssertionError("an empty message");
    }
    return message;
  }

  private void begin(StreamPosition position) {
    at.put(position.getStream(), position.getOffset());
  }

  private void data(Data data) {
    Stream of = data.getStream();
    requireNext(of, data.getOffset(), data.getSequence());
    require(!data.getBytes().isEmpty(), "data without bytes");
    at.merge(of, (long) data.getBytes().size(), Long::sum);
    bytes.merge(of, (long) data.getBytes().size(), Long::sum);
    sums.computeIfAbsent(of, _ -> new CRC32C()).update(data.getBytes().asReadOnlyByteBuffer());
    if (keep) {
      kept.computeIfAbsent(of, _ -> new ByteArrayOutputStream())
          .writeBytes(data.getBytes().toByteArray());
      order.add(data);
    }
  }

  private void gap(Gap gap) {
    requireNext(gap.getStream(), gap.getStartOffset(), gap.getSequence());
    require(gap.getEndOffset() > gap.getStartOffset(), "an empty gap");
    at.put(gap.getStream(), gap.getEndOffset());
    gapBytes.merge(gap.getStream(), gap.getEndOffset() - gap.getStartOffset(), Long::sum);
    gaps.add(gap);
  }

  private void end(ReadEnd message) {
    end = message;
    require(message.getTotalsCount() == at.size(), "totals of every stream");
    for (StreamTotal total : message.getTotalsList()) {
      Stream of = total.getStream();
      require(total.getOffset() == at(of), "the total's offset");
      require(total.getBytes() == bytes(of), "the total's bytes");
      require(total.getGapBytes() == gapBytes.getOrDefault(of, 0L), "the total's gaps");
      if (!request.getNoChecksum()) {
        int sum = (int) sums.getOrDefault(of, new CRC32C()).getValue();
        require(total.getCrc32C() == sum, "the checksum");
      }
    }
  }

  private void requireNext(Stream of, long offset, long number) {
    require(at.containsKey(of), "a stream that nobody asked for");
    require(offset == at(of), "offset " + offset);
    require(number == ++sequence, "sequence " + number);
  }

  private void require(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what + "; so far: " + this);
    }
  }

  /// Reads to the end.
  public Reader all() {
    while (next() != null) {
      // what it says is remembered
    }
    return this;
  }

  public String id() {
    return start().getProcess().getId();
  }

  public ReadStart start() {
    while (start == null) {
      next();
    }
    return start;
  }

  public ReadEnd end() {
    if (end == null) {
      all();
    }
    ReadEnd last = end;
    if (last == null) {
      throw new AssertionError("no end");
    }
    return last;
  }

  public long at(Stream of) {
    return at.getOrDefault(of, 0L);
  }

  public long bytes(Stream of) {
    return bytes.getOrDefault(of, 0L);
  }

  public List<Gap> gaps() {
    return gaps;
  }

  /// Data messages as they came.
  public List<Data> order() {
    return order;
  }

  public int heartbeats() {
    return heartbeats;
  }

  public ByteString output(Stream of) {
    ByteArrayOutputStream all = kept.get(of);
    return all == null ? ByteString.EMPTY : ByteString.copyFrom(all.toByteArray());
  }

  public String text(Stream of) {
    return output(of).toStringUtf8();
  }

  @Override
  public String toString() {
    return "%s: at %s, gaps %d, sequence %d, end %s"
        .formatted(request.getProcess(), at, gaps.size(), sequence, end != null);
  }

  @Override
  public void close() {
    stream.close();
  }
}
