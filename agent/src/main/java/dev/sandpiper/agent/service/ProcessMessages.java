package dev.sandpiper.agent.service;

import com.google.protobuf.CodedOutputStream;
import dev.sandpiper.agent.output.Cursor;
import dev.sandpiper.agent.output.SegmentRef;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.process.ProcessEnd;
import dev.sandpiper.agent.rpc.FileSlice;
import dev.sandpiper.agent.rpc.PayloadMessage;
import dev.sandpiper.proto.process.ProcessEvent;
import dev.sandpiper.proto.process.StartResponse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/// The process events on their way out. `StartResponse` and `ConnectResponse` have the same fields, so one encoding serves
/// both.
final class ProcessMessages {
  // Field numbers of process.proto, as tags of length-delimited fields.
  private static final int RESPONSE_EVENT = 1;
  private static final int EVENT_DATA = 2;

  /// Below this a copy through the heap is cheaper than another system call.
  private static final int SENDFILE_FROM_BYTES = 16 * 1024;

  private static final byte[] NOTHING = {};
  private static final byte[] DATA_TAIL = ascii("\"}}}");
  private static final byte[] STDOUT_HEAD = ascii("{\"event\":{\"data\":{\"stdout\":\"");
  private static final byte[] STDERR_HEAD = ascii("{\"event\":{\"data\":{\"stderr\":\"");
  private static final byte[] PTY_HEAD = ascii("{\"event\":{\"data\":{\"pty\":\"");

  private static final Encoded KEEPALIVE =
      new Encoded(
          event(
              ProcessEvent.newBuilder().setKeepalive(ProcessEvent.KeepAlive.getDefaultInstance())),
          "{\"event\":{\"keepalive\":{}}}");

  private ProcessMessages() {}

  static PayloadMessage start(int pid) {
    return new Encoded(
        event(ProcessEvent.newBuilder().setStart(ProcessEvent.StartEvent.newBuilder().setPid(pid))),
        "{\"event\":{\"start\":{\"pid\":" + Integer.toUnsignedString(pid) + "}}}");
  }

  static PayloadMessage keepalive() {
    return KEEPALIVE;
  }

  static PayloadMessage end(ProcessEnd end) {
    int code = end.exitCode();
    String status = end.status();
    ProcessEvent.EndEvent.Builder message =
        ProcessEvent.EndEvent.newBuilder()
            .setExitCode(code)
            .setExited(end.exited())
            .setStatus(status);
    StringBuilder json = new StringBuilder(128).append("{\"event\":{\"end\":{");
    if (code != 0) {
      json.append("\"exitCode\":").append(code).append(',');
    }
    if (end.exited()) {
      json.append("\"exited\":true,");
    }
    json.append("\"status\":\"").append(escape(status)).append('"');
    if (!end.success()) {
      message.setError(status);
      json.append(",\"error\":\"").append(escape(status)).append('"');
    }
    return new Encoded(
        event(ProcessEvent.newBuilder().setEnd(message)), json.append("}}}").toString());
  }

  /// Bytes of the log as a data event; they are read when the engine writes them.
  static PayloadMessage data(Cursor cursor, StreamName stream, int length) {
    return new Data(cursor, stream, length);
  }

  private static byte[] event(ProcessEvent.Builder event) {
    return StartResponse.newBuilder().setEvent(event).build().toByteArray();
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  /// Statuses are ours and ASCII but for the kernel's words in a lost end: quotes and controls must not break the JSON.
  private static String escape(String text) {
    StringBuilder escaped = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        escaped.append('\\').append(c);
      } else if (c < ' ') {
        escaped.append(' ');
      } else {
        escaped.append(c);
      }
    }
    return escaped.toString();
  }

  /// A message encoded in both codecs beforehand.
  private static final class Encoded implements PayloadMessage {
    private final byte[] proto;
    private final byte[] json;

    Encoded(byte[] proto, String json) {
      this.proto = proto;
      this.json = json.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public int payloadBytes() {
      return 0;
    }

    @Override
    public byte[] protoHead() {
      return proto;
    }

    @Override
    public byte[] jsonHead() {
      return json;
    }

    @Override
    public byte[] jsonTail() {
      return NOTHING;
    }

    @Override
    public int readPayload(ByteBuffer direct) {
      return 0;
    }

    @Override
    public @Nullable FileSlice file() {
      return null;
    }

    @Override
    public void release() {}
  }

  private static final class Data implements PayloadMessage {
    private final Cursor cursor;
    private final StreamName stream;
    private final int length;

    Data(Cursor cursor, StreamName stream, int length) {
      this.cursor = cursor;
      this.stream = stream;
      this.length = length;
    }

    @Override
    public int payloadBytes() {
      return length;
    }

    @Override
    public byte[] protoHead() {
      int field =
          switch (stream) {
            case STDOUT -> ProcessEvent.DataEvent.STDOUT_FIELD_NUMBER;
            case STDERR -> ProcessEvent.DataEvent.STDERR_FIELD_NUMBER;
            case PTY -> ProcessEvent.DataEvent.PTY_FIELD_NUMBER;
          };
      int data = 1 + varint(length) + length;
      int event = 1 + varint(data) + data;
      byte[] head = new byte[3 + varint(length) + varint(data) + varint(event)];
      CodedOutputStream out = CodedOutputStream.newInstance(head);
      try {
        out.writeUInt32NoTag(RESPONSE_EVENT << 3 | 2);
        out.writeUInt32NoTag(event);
        out.writeUInt32NoTag(EVENT_DATA << 3 | 2);
        out.writeUInt32NoTag(data);
        out.writeUInt32NoTag(field << 3 | 2);
        out.writeUInt32NoTag(length);
      } catch (IOException impossible) {
        throw new UncheckedIOException(impossible);
      }
      return head;
    }

    private static int varint(int value) {
      return CodedOutputStream.computeUInt32SizeNoTag(value);
    }

    @Override
    public byte[] jsonHead() {
      return switch (stream) {
        case STDOUT -> STDOUT_HEAD;
        case STDERR -> STDERR_HEAD;
        case PTY -> PTY_HEAD;
      };
    }

    @Override
    public byte[] jsonTail() {
      return DATA_TAIL;
    }

    @Override
    public int readPayload(ByteBuffer direct) {
      return cursor.read(direct);
    }

    @Override
    public @Nullable FileSlice file() {
      if (length < SENDFILE_FROM_BYTES) {
        return null;
      }
      SegmentRef segment = cursor.segment();
      return new FileSlice(segment.file(), cursor.filePosition(), segment::release);
    }

    @Override
    public void release() {}
  }
}
