package dev.sandpiper.agent.service;

import com.google.protobuf.CodedOutputStream;
import dev.sandpiper.agent.output.Cursor;
import dev.sandpiper.agent.output.Cursor.Step;
import dev.sandpiper.agent.output.SegmentRef;
import dev.sandpiper.agent.rpc.FileSlice;
import dev.sandpiper.agent.rpc.PayloadMessage;
import dev.sandpiper.proto.v1.Data;
import dev.sandpiper.proto.v1.ReadResponse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/// A `ReadResponse` with data, written around bytes that stay in the page cache until the engine takes them.
///
/// A checksum has to see the bytes, so with one they are read into the outgoing buffer and summed up there; without, large ones
/// go by `sendfile`.
final class ReadData implements PayloadMessage {
  /// Below this a copy is cheaper than another system call.
  private static final int SENDFILE_FROM_BYTES = 16 * 1024;

  private static final byte[] JSON_TAIL = "\"}}".getBytes(StandardCharsets.US_ASCII);

  private final Cursor cursor;
  private final Step.Data data;
  private final int length;
  private final long sequence;
  private final @Nullable CRC32C checksum;

  /// @param length of what is sent, from the beginning of `data`
  /// @param checksum gets the bytes; null for none
  ReadData(Cursor cursor, Step.Data data, int length, long sequence, @Nullable CRC32C checksum) {
    this.cursor = cursor;
    this.data = data;
    this.length = length;
    this.sequence = sequence;
    this.checksum = checksum;
  }

  @Override
  public int payloadBytes() {
    return length;
  }

  @Override
  public byte[] protoHead() {
    int stream = WireStreams.of(data.stream()).getNumber();
    int inner =
        CodedOutputStream.computeEnumSize(Data.STREAM_FIELD_NUMBER, stream)
            + CodedOutputStream.computeInt64Size(Data.OFFSET_FIELD_NUMBER, data.offset())
            + CodedOutputStream.computeInt64Size(Data.SEQUENCE_FIELD_NUMBER, sequence)
            + CodedOutputStream.computeInt64Size(Data.TIME_US_FIELD_NUMBER, data.timeMicros())
            + CodedOutputStream.computeTagSize(Data.BYTES_FIELD_NUMBER)
            + CodedOutputStream.computeUInt32SizeNoTag(length);
    int outer =
        CodedOutputStream.computeTagSize(ReadResponse.DATA_FIELD_NUMBER)
            + CodedOutputStream.computeUInt32SizeNoTag(inner + length);
    byte[] head = new byte[outer + inner];
    CodedOutputStream out = CodedOutputStream.newInstance(head);
    try {
      out.writeUInt32NoTag(lengthDelimited(ReadResponse.DATA_FIELD_NUMBER));
      out.writeUInt32NoTag(inner + length);
      out.writeEnum(Data.STREAM_FIELD_NUMBER, stream);
      out.writeInt64(Data.OFFSET_FIELD_NUMBER, data.offset());
      out.writeInt64(Data.SEQUENCE_FIELD_NUMBER, sequence);
      out.writeInt64(Data.TIME_US_FIELD_NUMBER, data.timeMicros());
      // The bytes come last, whatever their number, so that they can come from elsewhere.
      out.writeUInt32NoTag(lengthDelimited(Data.BYTES_FIELD_NUMBER));
      out.writeUInt32NoTag(length);
      out.checkNoSpaceLeft();
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
    return head;
  }

  private static int lengthDelimited(int field) {
    return field << 3 | 2;
  }

  @Override
  public byte[] jsonHead() {
    StringBuilder json =
        new StringBuilder(128)
            .append("{\"data\":{\"stream\":\"")
            .append(WireStreams.of(data.stream()).name())
            .append('"');
    if (data.offset() != 0) {
      json.append(",\"offset\":\"").append(data.offset()).append('"');
    }
    json.append(",\"sequence\":\"").append(sequence).append('"');
    if (data.timeMicros() != 0) {
      json.append(",\"timeUs\":\"").append(data.timeMicros()).append('"');
    }
    return json.append(",\"bytes\":\"").toString().getBytes(StandardCharsets.US_ASCII);
  }

  @Override
  public byte[] jsonTail() {
    return JSON_TAIL;
  }

  @Override
  public int readPayload(ByteBuffer direct) {
    int from = direct.position();
    int read = cursor.read(direct);
    if (checksum != null) {
      checksum.update(direct.duplicate().limit(from + read).position(from));
    }
    return read;
  }

  @Override
  public @Nullable FileSlice file() {
    if (checksum != null || length < SENDFILE_FROM_BYTES) {
      return null;
    }
    SegmentRef segment = cursor.segment();
    return new FileSlice(segment.file(), cursor.filePosition(), segment::release);
  }

  @Override
  public void release() {}
}
